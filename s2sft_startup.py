"""Make fairseq 0.12.2 importable on Python 3.11 and newer.

fairseq writes ``common: CommonConfig = CommonConfig()`` in its config dataclasses. Since Python 3.11
``dataclasses`` refuses every default that is not hashable, and an ordinary dataclass instance is not (fairseq
issue #5012). Python 3.10 and older took such a default and shared it between instances; this module brings
that back for the dataclasses of ``fairseq`` and ``hydra``, and for no others.

It must have run before ``import fairseq`` in every process, spawned workers and ``fairseq-train`` included.
So the one line of ``s2sft_startup.pth`` in site-packages imports it whenever Python starts, and all that it
then does is to put a finder in front of ``sys.meta_path``; the first import of fairseq does the work and
takes the finder away. It stands outside the plugin's package, since fairseq refuses a ``--user-dir`` whose
package is imported already.
"""

import sys

_TOLERATED = ("fairseq", "hydra")


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


class _FairseqFinder:
    """Finds nothing: it waits for the import of fairseq, prepares ``dataclasses`` and goes."""

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> None:
        if name == "fairseq" and cls in sys.meta_path:
            # A new list: the import machinery is walking the old one, and would miss the finder after this.
            sys.meta_path = [finder for finder in sys.meta_path if finder is not cls]
            _tolerate_shared_defaults()


if sys.version_info >= (3, 11):
    sys.meta_path.insert(0, _FairseqFinder)
