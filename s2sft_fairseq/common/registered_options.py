"""Options that an objective declares itself, so that adding one stays a matter of its own file."""

from dataclasses import fields, make_dataclass
from typing import Any, Callable, List, Mapping, Protocol, Tuple, Type, TypeVar

from fairseq.dataclass import FairseqDataclass

from .errors import UserError

Options = TypeVar("Options", bound=FairseqDataclass)


class HasOptions(Protocol):
    """What brings options along, in a dataclass of its own."""

    options_class: Type[FairseqDataclass]


def with_options_of(objectives: Mapping[str, HasOptions]) -> Callable[[Type[Options]], Type[Options]]:
    """A decorator of a dataclass of options: it gets those that the registered objectives declare, too."""

    def extend(options: Type[Options]) -> Type[Options]:
        declared = unrelated([*{objective.options_class: None for objective in objectives.values()}])
        bases = (options, *(cls for cls in declared if not issubclass(options, cls)))
        members = {"__module__": options.__module__, "__doc__": options.__doc__}
        return make_dataclass(options.__name__, (), bases=bases, namespace=members)

    return extend


def unrelated(classes: List[type]) -> List[type]:
    """The classes that none of the others is derived from."""
    return [cls for cls in classes if not any(other is not cls and issubclass(other, cls) for other in classes)]


def check_declared(options: Any, chosen: str, objectives: Mapping[str, HasOptions], flag: str) -> None:
    """Refuses options that other objectives declare than the chosen one, which would be passed over in silence.

    Raises:
        UserError: one of them is set.
    """
    own = names(objectives[chosen])
    for name, objective in objectives.items():
        for option, default in names(objective):
            if (option, default) not in own and getattr(options, option, default) != default:
                shown = option.replace("_", "-")
                raise UserError(f"--{shown} is an option of {flag} {name} and found {flag} {chosen}; leave it out")


def names(objective: HasOptions) -> Tuple[Tuple[str, Any], ...]:
    """The options that an objective declares, and their defaults."""
    return tuple((option.name, option.default) for option in fields(objective.options_class))
