"""The environment that imports the package: the installed fairseq, and whether the program is a command.

Nothing here changes anything; the changes for commands are in ``fairseq_patches``.
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
"""The modules of ``fairseq_cli``; each is also installed as a script, such as ``fairseq-hydra-train``."""


def fairseq_command() -> Optional[str]:
    """The fairseq command that this process belongs to, such as ``train``; None in any other program.

    It is a command if the program, ``sys.argv[0]``, is one of fairseq's scripts (``bin/fairseq-train``) or a module of
    fairseq_cli (``python -m fairseq_cli.train``). torchrun, profilers and debuggers set it to the script that they run,
    and multiprocessing passes it on to the processes that it starts, so workers get the same result. Imports do not
    matter: a notebook, a server, pytest or a user's own script is not a command, even if it uses fairseq.
    """
    program = PurePath(*sys.argv[:1])
    if program.parent.name == "fairseq_cli":
        module = program.stem
    else:
        scripts = {f"fairseq-{name.replace('_', '-')}": name for name in FAIRSEQ_COMMANDS}
        module = scripts.get(program.name, "")
    return module if module in FAIRSEQ_COMMANDS else None


def check_host(name: str) -> None:
    """Checks the name under which the package was imported, and the installed fairseq.

    Commands that fail here report it in one line. The package's own commands are recognized by ``-m``, which is
    ``sys.argv[0]`` while Python imports the packages that contain the module to run.

    Raises:
        UserError: the package was imported under another name, or fairseq is missing or too old.
    """
    try:
        check_name(name)
        check_fairseq()
    except UserError:
        if fairseq_command() or sys.argv[:1] == ["-m"]:
            report_user_errors()
        raise


def check_name(name: str) -> None:
    """Refuses a copy of the package in a folder with another name, to which checkpoints could not refer."""
    if name != NAME:
        raise UserError(f"the plugin was imported as {name!r}; --user-dir must point to a folder named {NAME}")


def check_fairseq() -> None:
    """Refuses a missing or old fairseq, and warns about forks, which drop the last batch."""
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
            f"fairseq {version} is not the official 0.12.2: forks drop the last batch if its size is not a multiple of "
            "--required-batch-size-multiple; pass --required-batch-size-multiple 1"
        )


def version_tuple(version: str) -> Tuple[int, ...]:
    """The leading numbers of a version.

    >>> version_tuple("0.12.2"), version_tuple("1.0.0a0+e5e8b2c")
    ((0, 12, 2), (1, 0, 0))
    """
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def distribution_version(name: str) -> Optional[str]:
    """The version of an installed distribution, or None if it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
