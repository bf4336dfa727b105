"""Options that an objective declares itself, so that a new objective only needs its own file."""

from dataclasses import fields, make_dataclass
from typing import Any, Callable, List, Mapping, Protocol, Tuple, Type, TypeVar

from fairseq.dataclass import FairseqDataclass

from .errors import UserError

Options = TypeVar("Options", bound=FairseqDataclass)


class HasOptions(Protocol):
    """An objective with options, in a dataclass of their own."""

    options_class: Type[FairseqDataclass]


def with_options_of(objectives: Mapping[str, HasOptions]) -> Callable[[Type[Options]], Type[Options]]:
    """A decorator that extends a dataclass of options by those that the registered objectives declare."""

    def extend(options: Type[Options]) -> Type[Options]:
        declared = unrelated([*{objective.options_class: None for objective in objectives.values()}])
        bases = (options, *(cls for cls in declared if not issubclass(options, cls)))
        made = make_dataclass(options.__name__, (), bases=bases, namespace={"__doc__": options.__doc__})
        made.__module__ = options.__module__  # where pickle looks for it; Python 3.12 and later set another
        return made

    return extend


def unrelated(classes: List[type]) -> List[type]:
    """The classes from which none of the others is derived."""
    return [cls for cls in classes if not any(other is not cls and issubclass(other, cls) for other in classes)]


def check_declared(options: Any, chosen: str, objectives: Mapping[str, HasOptions], flag: str) -> None:
    """Refuses options of objectives other than the chosen one, which would be ignored silently.

    Raises:
        UserError: one of them is set.
    """
    own = names(objectives[chosen])
    for name, objective in objectives.items():
        for option, default in names(objective):
            if (option, default) not in own and getattr(options, option, default) != default:
                shown = option.replace("_", "-")
                raise UserError(f"--{shown} is an option of {flag} {name}, but found {flag} {chosen}; leave it out")


def names(objective: HasOptions) -> Tuple[Tuple[str, Any], ...]:
    """The options that an objective declares, with their defaults."""
    return tuple((option.name, option.default) for option in fields(objective.options_class))
