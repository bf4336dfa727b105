"""Make fairseq 0.12.2 usable on today's Pythons, and its commands considerate on shared cores and quiet.

Four things are done, each when the import that needs it begins (:class:`_Finder`):

- fairseq writes ``common: CommonConfig = CommonConfig()`` in its config dataclasses. Since Python 3.11 ``dataclasses``
  refuses every default that is not hashable, and an ordinary dataclass instance is not (fairseq issue #5012). Python
  3.10 took such a default and shared it between instances; :func:`_tolerate_shared_defaults` brings that back for the
  dataclasses of ``fairseq`` and ``hydra``, and for no others.
- fairseq recognizes an optional option by how its type is printed. Python 3.14 prints ``Optional[int]`` as
  ``int | None``, and every command ended in "int | None is not callable"; :func:`_judge_types_by_themselves`.
- OpenMP's threads wait for each other by spinning, which starves them if another process computes on the same cores;
  :func:`_spin_briefly` limits that in the commands of this project and those of fairseq that load it, in no others.
- fairseq asks for tensorboardX at the start of every command, for the sake of a task that speaks;
  :func:`_ask_for_nothing` leaves that out in the same commands.

All of it must happen in every process before fairseq or torch is imported, spawned workers and ``fairseq-train``
included. So the one line of ``s2sft_startup.pth`` in site-packages imports this module whenever Python starts, and all
that it then does is to put a finder in front of ``sys.meta_path``. It stands outside the plugin's package, since
fairseq refuses a ``--user-dir`` whose package is imported already.
"""

import os
import sys

PLUGIN = "s2sft_fairseq"
SPINS = "1000"
"""How often a waiting thread looks before it sleeps; 2 threads on 2 idle cores lose nothing by it (docs/speed.md)."""

_TOLERATED = ("fairseq", "hydra")
_SCRIPTS = ("preprocess", "examples", "benchmarks")
_awaited = {"torch", "fairseq", "fairseq.dataclass.utils", "fairseq_cli", PLUGIN}


def _tolerate_shared_defaults() -> None:
    """Give the config dataclasses that serve as defaults the hash that ``dataclasses`` asks for."""
    import dataclasses  # not at the top: it would cost every Python process some 10 ms

    get_field = getattr(dataclasses, "_get_field", None)
    if get_field is None:  # a Python whose dataclasses are built differently: fairseq's own error tells more
        return

    def tolerant_get_field(cls: type, name: str, *rest: object) -> object:
        default = getattr(cls, name, None)
        kind = type(default.default if isinstance(default, dataclasses.Field) else default)
        unhashable = kind.__hash__ is None and dataclasses.is_dataclass(kind)
        if unhashable and kind.__module__.partition(".")[0] in _TOLERATED:
            kind.__hash__ = object.__hash__  # type: ignore[method-assign, assignment]
        return get_field(cls, name, *rest)

    dataclasses._get_field = tolerant_get_field  # type: ignore[attr-defined]


def _judge_types_by_themselves(utils: object) -> None:
    """Make ``interpret_dc_type`` of ``fairseq.dataclass.utils`` see that a type is optional, however it is printed."""
    import types
    import typing

    interpret = utils.interpret_dc_type  # type: ignore[attr-defined]

    def interpret_dc_type(field_type: object) -> object:
        members = typing.get_args(field_type)
        if typing.get_origin(field_type) in (typing.Union, types.UnionType) and types.NoneType in members:
            return next(member for member in members if member is not types.NoneType)
        return interpret(field_type)

    utils.interpret_dc_type = interpret_dc_type  # type: ignore[attr-defined]


def _spin_briefly() -> None:
    """Limit the spinning of OpenMP's waiting threads, unless the user has decided how they wait."""
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = SPINS


def _ask_for_nothing() -> None:
    """Drop the line "Please install tensorboardX", which fairseq writes when it is imported."""
    import logging

    logging.getLogger("fairseq.tasks.text_to_speech").addFilter(lambda record: "tensorboardX" not in str(record.msg))


def _is_command(imported: str) -> bool:
    """Whether this program is a command of the plugin or with the plugin, asked while it imports ``imported``."""
    program = os.path.basename(sys.argv[0]) if sys.argv else ""
    if imported == "fairseq_cli" or program.startswith("fairseq-"):  # the latter in its workers, which import less
        return any(_names_plugin(word) for word in sys.argv[1:])
    if imported == PLUGIN and sys.argv[:1] == ["-m"]:  # so it is while Python imports the package of the module to run
        module = sys.orig_argv[-len(sys.argv) :][0].removeprefix("-m")
        return module.partition(".")[0] == PLUGIN
    return _is_script_of_checkout(os.path.abspath(sys.argv[0]) if program else "")


def _names_plugin(word: str) -> bool:
    """Whether an argument names the plugin's directory, as ``--user-dir`` of fairseq's commands does."""
    return os.path.basename(word.rstrip("/").rpartition("=")[2]) == PLUGIN


def _is_script_of_checkout(program: str) -> bool:
    """Whether it is a script such as ``preprocess/pieces.py`` beside a copy of this module."""
    root, script = os.path.split(program)
    while script not in _SCRIPTS and root != os.path.dirname(root):
        root, script = os.path.split(root)
    return script in _SCRIPTS and os.path.exists(os.path.join(root, "s2sft_startup.py"))


class _Finder:
    """Finds nothing itself: it waits for some imports, prepares each once, and lets the other finders go on."""

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> object:
        if name not in _awaited:
            return None
        _awaited.remove(name)
        if name == "fairseq.dataclass.utils":
            return cls.spec_with_types_mended(name)
        if name == "fairseq" and sys.version_info >= (3, 11):
            _tolerate_shared_defaults()
        if _is_command(name):
            _spin_briefly()
            _ask_for_nothing()
        return None

    @staticmethod
    def spec_with_types_mended(name: str) -> object:
        """How the other finders load the module, with :func:`_judge_types_by_themselves` afterwards."""
        import importlib.util

        spec = importlib.util.find_spec(name)  # asks this finder again, which no longer awaits the name
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_mend(module: object) -> None:
            execute(module)  # type: ignore[arg-type]
            _judge_types_by_themselves(module)

        spec.loader.exec_module = execute_and_mend  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, _Finder)  # type: ignore[arg-type]
