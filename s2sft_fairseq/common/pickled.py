"""Pickles objects that hold fairseq's configuration, whose enumerations are classes that no module has by name."""

import io
import pickle
from enum import EnumMeta
from typing import Any

from fairseq.dataclass import ChoiceEnum
from fairseq.dataclass.constants import StrEnum


class ConfigurationPickler(pickle.Pickler):
    """Stores an enumeration of fairseq's options as its values; such enumerations count as equal by their values."""

    def reducer_override(self, value: Any) -> Any:
        """What pickle calls for every object; for others than these enumerations it goes on as usual."""
        if isinstance(value, EnumMeta) and issubclass(value, StrEnum) and value is not StrEnum:
            return ChoiceEnum, (list(value.__members__),)
        return NotImplemented


def pickled(value: Any) -> bytes:
    """The pickle of an object; ``pickle.loads`` restores it."""
    buffer = io.BytesIO()
    ConfigurationPickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return buffer.getvalue()
