"""What the package is imported into: which fairseq it finds, and whether a command or somebody's Python imports it.

All of this looks and changes nothing; what commands change is in ``fairseq_patches``.
"""

import importlib.metadata
import logging
import sys
from pathlib import PurePath
from typing import Optional, Tuple

from .errors import UserError, report_user_errors

logger = logging.getLogger(__name__)

NAME = "s2sft_fairseq"
OLDEST = (0, 12, 2)
INSTALL = 'pip install --no-deps "fairseq==0.12.2"'
FAIRSEQ_COMMANDS = ("eval_lm", "generate", "hydra_train", "interactive", "preprocess", "score", "train", "validate")
"""The modules of ``fairseq_cli``; each is installed as a script too, ``hydra_train`` as ``fairseq-hydra-train``."""


def fairseq_command() -> Optional[str]:
    """Which of fairseq's commands this process belongs to, such as ``train``; None in every other program.

    The rule: the program, ``sys.argv[0]``, is a script of fairseq's (``bin/fairseq-train``) or a module of fairseq_cli
    (``python -m fairseq_cli.train``). torchrun, profilers and debuggers set it to the script that they run, and
    multiprocessing hands it on to the processes that it starts, so that workers come to the same answer. What has been
    imported does not count: a notebook, a server, pytest or a user's own script is no command, even if it uses fairseq.
    """
    program = PurePath(*sys.argv[:1])
    if program.parent.name == "fairseq_cli":
        module = program.stem
    else:
        scripts = {f"fairseq-{name.replace('_', '-')}": name for name in FAIRSEQ_COMMANDS}
        module = scripts.get(program.name, "")
    return module if module in FAIRSEQ_COMMANDS else None


def check_host(name: str) -> None:
    """Checks the name that the package was imported by, and the installed fairseq.

    Commands that fail here say so in one line. Those of the package itself are known by ``-m``, which is the program
    as long as Python imports the packages around the module that it is to run.

    Raises:
        UserError: the package was imported by another name, or fairseq is missing or too old.
    """
    try:
        check_name(name)
        check_fairseq()
    except UserError:
        if fairseq_command() or sys.argv[:1] == ["-m"]:
            report_user_errors()
        raise


def check_name(name: str) -> None:
    """Refuses a copy of the package in a folder of another name, which checkpoints could not refer to."""
    if name != NAME:
        raise UserError(f"the plugin was imported as {name!r}; --user-dir must point to a folder named {NAME}")


def check_fairseq() -> None:
    """Refuses a missing or old fairseq, and warns of a fork that drops the last batch."""
    try:
        import fairseq
    except ModuleNotFoundError as error:
        if error.name != "fairseq":
            raise
        raise UserError(f"fairseq is not installed; expected 0.12.2: {INSTALL}") from None
    except ValueError as error:
        raise UserError(
            f"fairseq cannot be imported on this Python ({error}); install the plugin: pip install ."
        ) from None
    version = str(getattr(fairseq, "__version__", "0"))
    if version_tuple(version) < OLDEST:
        raise UserError(f"fairseq {version} is too old; expected 0.12.2: {INSTALL}")
    if distribution_version("fairseq") != "0.12.2":
        logger.warning(
            f"fairseq {version} is not the official 0.12.2: forks drop the last batch when its size is no multiple of "
            "--required-batch-size-multiple; pass --required-batch-size-multiple 1"
        )


def version_tuple(version: str) -> Tuple[int, ...]:
    """The leading numbers of a version."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def distribution_version(name: str) -> Optional[str]:
    """The version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
