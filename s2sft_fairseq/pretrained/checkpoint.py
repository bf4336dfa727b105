"""A pretrained checkpoint directory: its family, the options that it decides, and its tensors under our names."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

from ..common.errors import UserError
from ..common.text_lines import read_json
from ..models.checkpoints import is_trained
from ..models.layers.parameter_names import HEAD, SEGMENTS, TOKENS
from ..text import vocabulary
from .families import FAMILIES, Family, recognise
from .families.family import Rule
from .weight_files import Weights, find_config, open_weights, trained_checkpoint
from .wrapped_weights import unwrapped

COMPUTED = {
    "hidden_act": "gelu",
    "activation_fn": "gelu",
    "position_embedding_type": "absolute",
    "tie_word_embeddings": True,
    "untie_weights_roberta": False,
    "use_task_id": False,
}
"""What the Transformer computes, by the keys that describe it in config.json or in fairseq's options."""

FOREIGN = re.compile(r".*layers?[._]\d+[._].*|.*encoder\.(layer_norm|ln)\..*")
"""Tensors that cannot be left out: those of layers, and the norm after the last one of pre-norm layers."""


class Entry(NamedTuple):
    """A published tensor that the Transformer can use: its rule, and our names of what it holds."""

    published: str
    rule: Rule
    ours: Tuple[str, ...]


@dataclass(frozen=True)
class Pretrained:
    """An opened checkpoint directory; its weights are read when the Transformer is initialized.

    Attributes:
        directory: its path.
        family: how its tensors are named.
        config: as published.
        weights: the tensors.
        entries: those that the Transformer can use.
        shapes: of what these hold, under our names.
        left_out: published names of the others (poolers, heads of other tasks).
        taken: tensors that were read ahead of the others.
    """

    directory: Path
    family: Family
    config: Mapping[str, Any]
    weights: Weights
    entries: List[Entry]
    shapes: Dict[str, Tuple[int, ...]]
    left_out: List[str]
    taken: Dict[str, Tensor]

    def options(self) -> Dict[str, Any]:
        """The model options that the checkpoint decides.

        Raises:
            UserError: the configuration does not give the number of attention heads.
        """
        found = self.family.options(self.config, self.shapes)
        if "encoder_attention_heads" not in found:
            raise UserError(f"{self.directory}: no config.json gives the number of attention heads; expected one")
        return {
            **found,
            "pretrained_type": self.family.exported_as or self.family.name,
            "adapter_base_family": self.family.name,
            "adapter_trains_head": not all(name in self.shapes for name in HEAD),
        }

    def rows(self) -> int:
        """Rows of the token table."""
        return self.shapes[TOKENS][0]

    @cached_property
    def vocabulary(self) -> List[str]:
        """The tokens of the vocabulary in the directory; empty if there is none."""
        return vocabulary.read(self.directory) if vocabulary.files(self.directory) else []

    def lacks(self, tokens: Sequence[str]) -> List[str]:
        """Those of the tokens that are not in the directory's vocabulary."""
        own = set(self.vocabulary)
        return [token for token in tokens if token not in own]

    def tensors(self) -> Iterator[Tuple[str, Tensor]]:
        """Reads the tensors one by one, under our names."""
        for entry in self.entries:
            tensor = self.taken.pop(entry.published, None)
            tensor = self.weights.take(entry.published) if tensor is None else tensor
            yield from zip(entry.ours, entry.rule.codec.read(tensor))


def read(directory: Path, pretrained_type: Optional[str] = None) -> Pretrained:
    """Opens a checkpoint directory, and recognizes its family unless that is given.

    Raises:
        UserError: no such directory, no readable files in it, no family that fits, or a kind of layer that the
            Transformer does not compute.
    """
    check_directory(directory)
    weights = unwrapped(open_weights(directory))
    check_published(weights)
    config = {**weights.config, **read_config(directory)}
    family = family_of(directory, config, weights.names, pretrained_type)
    entries, left_out = sort_out(family, weights.names)
    check_computed(directory, config, left_out)
    shapes = {name: shape for entry in entries for name, shape in shapes_of(entry, weights).items()}
    if TOKENS not in shapes:
        raise UserError(
            f"{directory} holds no {family.name} model: no word embeddings among its {len(weights.names)} tensors"
        )
    return without_blank_segments(Pretrained(directory, family, config, weights, entries, shapes, left_out, {}))


def read_base(directory: Path, family: Optional[str]) -> Pretrained:
    """Opens the pretrained weights that an adapter-only checkpoint belongs to.

    Raises:
        UserError: their directory does not exist.
    """
    if not directory.is_dir():
        raise UserError(
            f"the checkpoint holds adapters only, and their pretrained weights are not in {directory}; "
            "name their directory: --model-overrides \"{'pretrained': 'DIR'}\" (or --pretrained DIR)"
        )
    return read(directory, family)


def check_directory(directory: Path) -> None:
    """Raises UserError unless the path is a directory."""
    if directory.is_file() and directory.suffix == ".pt":
        raise UserError(trained_checkpoint(directory))
    if not directory.is_dir():
        raise UserError(f"{directory} is not a directory; expected a pretrained model with config.json and weights")


def check_published(weights: Weights) -> None:
    """Raises UserError for a checkpoint of this package, which says what to do with it."""
    if is_trained(weights.names):
        raise UserError(trained_checkpoint(weights.path))


def read_config(directory: Path) -> Dict[str, Any]:
    """The configuration in a checkpoint directory; empty when there is none.

    Raises:
        UserError: it is not a JSON object.
    """
    path = find_config(directory)
    return {} if path is None else read_json(path)


def family_of(directory: Path, config: Mapping[str, Any], names: List[str], requested: Optional[str]) -> Family:
    """The requested family, or the one that the files show."""
    if requested is not None:
        if requested not in FAMILIES:
            raise UserError(f"--pretrained-type {requested}; expected one of: {', '.join(sorted(FAMILIES))}")
        return FAMILIES[requested]
    fitting = recognise(config, names)
    if len(fitting) != 1:
        examples = ", ".join(sorted(names)[:2])
        raise UserError(
            f"{directory} (model_type {config.get('model_type')!r}, tensors such as {examples}) looks "
            f"like {' and like '.join(family.name for family in fitting) or 'no known family'}; "
            f"expected one of: {', '.join(sorted(FAMILIES))} (--pretrained-type names it)"
        )
    return fitting[0]


def sort_out(family: Family, names: List[str]) -> Tuple[List[Entry], List[str]]:
    """Splits published tensors into those that the Transformer can use and those that are left out."""
    entries, left_out = [], []
    for name in names:
        found = family.lookup(name)
        if found is not None:
            entries.append(Entry(name, *found))
        elif not family.repeats(name):
            left_out.append(name)
    return entries, left_out


def check_computed(directory: Path, config: Mapping[str, Any], left_out: List[str]) -> None:
    """Raises UserError if the model's layers compute something else, which would otherwise go wrong silently."""
    for key, computed in COMPUTED.items():
        if config.get(key, computed) != computed:
            raise UserError(f"{directory} has {key} {config[key]!r}; expected {computed!r}, the only one supported")
    foreign = [name for name in left_out if FOREIGN.fullmatch(name)]
    if foreign:
        raise UserError(
            f"{directory}: the layers have tensors that are not supported: {', '.join(foreign[:3])} ({len(foreign)} "
            "in all); expected layers like BERT's, or another --pretrained-type"
        )


def shapes_of(entry: Entry, weights: Weights) -> Dict[str, Tuple[int, ...]]:
    """Shapes of what a published tensor holds, under our names, without reading it."""
    outline = torch.empty(weights.shape(entry.published), device="meta")
    return {name: tuple(part.shape) for name, part in zip(entry.ours, entry.rule.codec.read(outline))}


def without_blank_segments(pretrained: Pretrained) -> Pretrained:
    """Leaves out a segment table that is one row of zeros: RoBERTa has no segments, but Hugging Face adds that row."""
    if pretrained.shapes.get(SEGMENTS, (0,))[0] != 1:
        return pretrained
    entry = next(entry for entry in pretrained.entries if entry.ours == (SEGMENTS,))
    table = pretrained.weights.take(entry.published)
    if table.any():
        pretrained.taken[entry.published] = table
    else:
        pretrained.entries.remove(entry)
        del pretrained.shapes[SEGMENTS]
    return pretrained
