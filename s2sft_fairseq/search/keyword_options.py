"""Options by name from Python: the search options for plain text, and one-line errors for options that do not exist."""

import copy
from contextlib import contextmanager
from dataclasses import field, fields, make_dataclass
from difflib import get_close_matches
from typing import Any, Iterable, Iterator, Mapping

from fairseq.dataclass import FairseqDataclass
from fairseq.dataclass.configs import GenerationConfig
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ..common.errors import UserError
from .options import SearchOptions

OF_FAIRSEQ = (
    *("beam", "nbest", "max_len_a", "max_len_b", "min_len", "match_source_len"),
    *("lenpen", "unnormalized", "unkpen", "no_repeat_ngram_size", "constraints"),
    *("sampling", "sampling_topk", "sampling_topp", "temperature"),
    *("diverse_beam_groups", "diverse_beam_strength", "diversity_rate"),
)
"""fairseq's search options, except those that need targets, an alignment or another kind of model."""

OF_PLUGIN = tuple(
    option.name for option in fields(SearchOptions) if option.name not in ("_name", "inference_precision")
)
"""The search options that the task adds, except the one that changes the weights."""


def text_generation() -> FairseqDataclass:
    """fairseq's search options for plain text, as a dataclass whose fields become flags."""
    known = {option.name: option for option in fields(GenerationConfig)}
    chosen = [known[name] for name in OF_FAIRSEQ]
    same = [(option.name, option.type, field(default=option.default, metadata=option.metadata)) for option in chosen]
    options: FairseqDataclass = make_dataclass("TextGeneration", same, bases=(FairseqDataclass,))()
    return options


def check_names(given: Iterable[str], known: Iterable[str]) -> None:
    """Raises UserError for an option that does not exist, and suggests one with a similar name."""
    known = set(known)
    for name in given:
        if name not in known:
            similar = get_close_matches(name, known, n=1)
            raise UserError(f"no option {name!r}" + (f"; did you mean {similar[0]!r}?" if similar else ""))


def changed(section: DictConfig, options: Mapping[str, Any]) -> DictConfig:
    """A copy of a section of the configuration with other values; raises UserError for an invalid value."""
    section = copy.deepcopy(section)
    with values_checked():
        section.update(options)
    return section


@contextmanager
def values_checked() -> Iterator[None]:
    """Turns OmegaConf's errors about invalid values into UserError."""
    try:
        yield
    except OmegaConfBaseException as error:
        said = " ".join(str(error).split("full_key")[0].split())
        raise UserError(f"{error.full_key}: {said}" if error.full_key else said) from None
