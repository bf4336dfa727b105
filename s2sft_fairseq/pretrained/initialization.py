"""Pretrained tensors into the Transformer: what is missing, superfluous or of another shape, and tables that grow."""

import logging
from typing import List, Mapping, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor

from ..common.errors import UserError
from ..models.layers.parameter_names import POSITIONS, SEGMENTS, TOKENS, TURNS
from ..models.layers.transformer import Transformer, initialize
from ..text.dictionary import PretrainedDictionary
from .checkpoint import Pretrained

logger = logging.getLogger(__name__)

Shape = Tuple[int, ...]

OPTIONAL = ("lm_head.", TURNS)
"""What a checkpoint may lack."""


def tile_rows(table: Tensor, rows: int) -> Tensor:
    """A position table [P, H] with more rows: its own, over and over (``reuse_position_embedding`` of 000)."""
    return table[torch.arange(rows) % len(table)]


def mean_rows(table: Tensor, rows: int) -> Tensor:
    """A table [n, …] with more rows, each the mean of its own."""
    mean = table.mean(0, keepdim=True)
    return torch.cat([table, mean.expand(rows - len(table), *table.shape[1:])])


GROWTH = {
    POSITIONS: (tile_rows, "by tiling"),
    SEGMENTS: (mean_rows, "by the mean of its rows"),
    TURNS: (mean_rows, "by the mean of its rows"),
    TOKENS: (mean_rows, "by the mean of its rows"),
    "lm_head.bias": (mean_rows, "by its mean"),
}
"""Tables that grow when the model has more rows than the checkpoint, and how."""

VOCABULARY = (TOKENS, "lm_head.bias")
"""Tables with a row a token. The last rows belong to none, and are cut off, where the vocabulary is shorter."""


class CopiedRow(NamedTuple):
    """A token that begins with the weights of another, and the rows of both."""

    token: str
    row: int
    source_token: str
    source_row: int


def copied_rows(
    tokens: Sequence[str], copied_from: Mapping[str, str], dictionary: PretrainedDictionary
) -> List[CopiedRow]:
    """Which rows begin as copies, and of which other rows.

    Args:
        tokens: those that the checkpoint has no weights for.
        copied_from: tokens that begin as a copy, and the role (a field of ``SpecialTokens``) of the token they copy.
        dictionary: the rows of all tokens.
    """
    rows = []
    for token in tokens:
        if token in copied_from:
            source = getattr(dictionary, f"{copied_from[token]}_word")
            rows.append(CopiedRow(token, dictionary.index(token), source, dictionary.index(source)))
    return rows


def initialize_from_pretrained(
    transformer: Transformer, pretrained: Pretrained, copies: Sequence[CopiedRow] = ()
) -> None:
    """Gives the Transformer, built without memory (on the meta device), its pretrained tensors, one by one.

    Logs a table of what was loaded, grown, copied, cut, initialized afresh and left out.

    Args:
        transformer: changed in place.
        pretrained: an opened checkpoint directory.
        copies: tokens that the checkpoint has no weights for, and what they begin with.

    Raises:
        UserError: a tensor whose shape cannot fit, or a layer that the weights lack.
    """
    own = {name: tuple(parameter.shape) for name, parameter in transformer.state_dict().items()}
    check_fit(pretrained, own)
    notes = [("loaded", f"{len(pretrained.shapes)} tensors of a {pretrained.family.name} model")]
    notes += load_tensors(transformer, pretrained, own=own, copies=copies)
    if TURNS in own and TURNS not in pretrained.shapes:
        assign(transformer, TURNS, torch.zeros(own[TURNS]))
        notes.append((TURNS, f"{own[TURNS][0]} rows of zeros, which change nothing until they are trained"))
    notes += [(copy.token, f"row {copy.row}, a copy of row {copy.source_row}, {copy.source_token}") for copy in copies]
    fresh = initialize_rest(transformer)
    if fresh:
        notes.append(("initialized afresh", ", ".join(fresh)))
    unused = sorted(set(pretrained.shapes) - set(own)) + pretrained.left_out
    if unused:
        notes.append(("left out", ", ".join(unused)))
    logger.info(f"{pretrained.directory}:\n" + "\n".join(f"    {what:<28} {note}" for what, note in notes))


def load_tensors(
    transformer: Transformer, pretrained: Pretrained, *, own: Mapping[str, Shape], copies: Sequence[CopiedRow]
) -> List[Tuple[str, str]]:
    """Reads the pretrained tensors that the Transformer has a place for; returns notes on those that were resized."""
    notes = []
    for name, tensor in pretrained.tensors():
        if name in own:
            rows = own[name][0]
            if rows != len(tensor):
                notes.append((name, resized(name, len(tensor), rows)))
            whole = fitted(name, tensor, rows)
            if name in VOCABULARY:
                copy_rows(whole, copies)
            assign(transformer, name, whole)
    return notes


def assign(transformer: Transformer, name: str, tensor: Tensor) -> None:
    """Makes a tensor the Transformer's parameter of that name, without copying it."""
    transformer.load_state_dict({name: tensor}, strict=False, assign=True)


def resized(name: str, before: int, after: int) -> str:
    """Says what became of a table's rows."""
    if after < before:
        return f"cut from {before:,} to {after:,} rows: the last ones belong to no token"
    return f"grown from {before:,} to {after:,} rows {GROWTH[name][1]}"


def fitted(name: str, tensor: Tensor, rows: int) -> Tensor:
    """The tensor with so many rows, in memory of its own: copied if it is a part of something larger."""
    if rows > len(tensor):
        return GROWTH[name][0](tensor, rows)
    tensor = tensor[:rows]
    return tensor.contiguous() if tensor.untyped_storage().nbytes() == tensor.nbytes else tensor.clone()


def copy_rows(table: Tensor, copies: Sequence[CopiedRow]) -> None:
    """Lets some rows of a table of tokens [V, …] repeat others, in place."""
    for copy in copies:
        table[copy.row] = table[copy.source_row]


def initialize_rest(transformer: Transformer) -> List[str]:
    """Draws what no checkpoint gave, and returns its names."""
    fresh = []
    for path, module in transformer.named_modules():
        lacking = [name for name, tensor in module.named_parameters(recurse=False) if tensor.is_meta]
        if lacking:
            module.to_empty(device="cpu", recurse=False)
            initialize(module)
            fresh += [f"{path}.{name}" for name in lacking]
    return fresh


def check_fit(pretrained: Pretrained, own: Mapping[str, Shape]) -> None:
    """Compares the checkpoint's tensors with those of the Transformer: only its head and turns may be missing."""
    for name, shape in pretrained.shapes.items():
        if name in own and not fits(name, shape, own[name]):
            raise UserError(
                f"{pretrained.directory}: {name} has shape {shape}, its config.json and the vocabulary "
                f"ask for {own[name]}; use the config.json, vocabulary and weights that belong together"
            )
    lacking = [name for name in sorted(set(own) - set(pretrained.shapes)) if not name.startswith(OPTIONAL)]
    if lacking:
        raise UserError(f"{pretrained.directory}: the weights lack {', '.join(lacking[:3])} ({len(lacking)} in all)")
    superfluous = sorted(name for name in set(pretrained.shapes) - set(own) if name.startswith("layers."))
    if superfluous:
        raise UserError(
            f"{pretrained.directory}: the weights have {', '.join(superfluous[:3])} ({len(superfluous)} in all), "
            "config.json asks for fewer; use the config.json and weights that belong together"
        )


def fits(name: str, shape: Shape, own: Shape) -> bool:
    """Whether a tensor of the checkpoint has the Transformer's shape, or can be grown or cut to it."""
    if shape == own:
        return True
    grows = name in GROWTH and shape[0] < own[0]
    shrinks = name in VOCABULARY and shape[0] > own[0]
    return (grows or shrinks) and shape[1:] == own[1:]
