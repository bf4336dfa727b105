"""Loads pretrained tensors into the Transformer: some may be missing, left over or too small, and tables grow."""

import logging
from typing import List, Mapping, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor, nn

from ..common.errors import UserError
from ..models.layers.heads import PREFIXES
from ..models.layers.parameter_names import (
    HEAD_DENSE,
    HEAD_DENSE_BIAS,
    POSITIONS,
    RELATIVE,
    SEGMENTS,
    TOKENS,
    TURNS,
)
from ..models.layers.transformer import Transformer, initialize
from ..text.dictionary import PretrainedDictionary
from .checkpoint import Pretrained

logger = logging.getLogger(__name__)

Shape = Tuple[int, ...]

ZEROS = (SEGMENTS, TURNS, RELATIVE)
"""Tables that begin as zeros where a checkpoint lacks them: they change nothing until they are trained."""

OPTIONAL = ("lm_head.", *PREFIXES, *ZEROS)
"""Prefixes of the names of tensors that a checkpoint may lack."""


FROM_SECOND = 5
"""From this row on, new segments copy row 1: in UniLM, segment 4 is the source of a sequence pair, 5 its target."""


def tile_rows(table: Tensor, rows: int) -> Tensor:
    """Grows a position table [P, E] to ``rows`` rows by repeating its own (``reuse_position_embedding`` of 000).

    >>> tile_rows(torch.tensor([[1], [2], [3]]), 5).tolist()
    [[1], [2], [3], [1], [2]]
    """
    return table[torch.arange(rows) % len(table)]


def copy_segments(table: Tensor, rows: int) -> Tensor:
    """Grows a segment table [n, E] to ``rows`` rows, as the published code of UniLM (004) grows BERT's two to six.

    Rows 2 to 4 copy row 0 and later ones row 1; of a table with a single row, all are copies. A target in a new segment
    begins as BERT knows a first or a second segment.

    >>> copy_segments(torch.tensor([[1], [2]]), 7).flatten().tolist()
    [1, 2, 1, 1, 1, 2, 2]
    """
    second = min(1, len(table) - 1)
    sources = [second if row >= FROM_SECOND else 0 for row in range(len(table), rows)]
    return torch.cat([table, table[sources]])


def mean_rows(table: Tensor, rows: int) -> Tensor:
    """Grows a table [n, …] to ``rows`` rows; each new row is the mean of the old ones.

    >>> mean_rows(torch.tensor([1.0, 3.0]), 4).tolist()
    [1.0, 3.0, 2.0, 2.0]
    """
    mean = table.mean(0, keepdim=True)
    return torch.cat([table, mean.expand(rows - len(table), *table.shape[1:])])


GROWTH = {
    POSITIONS: (tile_rows, "by tiling"),
    SEGMENTS: (copy_segments, "by copies of its first two"),
    TURNS: (mean_rows, "by the mean of its rows"),
    TOKENS: (mean_rows, "by the mean of its rows"),
    "lm_head.bias": (mean_rows, "by its mean"),
}
"""Tables that grow if the model has more rows than the checkpoint: the function, and its description for the log."""

VOCABULARY = (TOKENS, "lm_head.bias")
"""Tables with one row per token. Where they are longer than the vocabulary, the last rows belong to no token: cut."""


LINEAR_GELU = 3.0
"""GELU of x is x to within 0.01 from about here on, and hidden states, being normalized, are of the order of 1."""


class CopiedRow(NamedTuple):
    """A token that is initialized with the weights of another, and the rows of both."""

    token: str
    row: int
    source_token: str
    source_row: int


def copied_rows(
    tokens: Sequence[str], copied_from: Mapping[str, str], dictionary: PretrainedDictionary
) -> List[CopiedRow]:
    """Which rows are initialized as copies, and of which other rows.

    Args:
        tokens: those that the checkpoint has no weights for.
        copied_from: tokens initialized as a copy, and the role (a field of ``SpecialTokens``) of the token they copy.
        dictionary: maps all tokens to rows.
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
    """Loads the pretrained tensors, one by one, into a Transformer built on the meta device.

    Logs a table of what was loaded, grown, copied, cut, initialized afresh and left out.

    Args:
        transformer: changed in place.
        pretrained: an opened checkpoint directory.
        copies: tokens that the checkpoint has no weights for, and the rows that they copy.

    Raises:
        UserError: a tensor of a shape that cannot fit, or weights with layers missing or left over.
    """
    own = {name: tuple(parameter.shape) for name, parameter in transformer.state_dict().items()}
    check_fit(pretrained, own)
    notes = [("loaded", f"{len(pretrained.shapes)} tensors of a {pretrained.family.name} model")]
    notes += load_tensors(transformer, pretrained, own=own, copies=copies)
    for name in ZEROS:
        if name in own and name not in pretrained.shapes:
            assign(transformer, name, torch.zeros(own[name]))
            notes.append((name, f"{own[name][0]} rows of zeros, which have no effect until they are trained"))
    notes += [(copy.token, f"row {copy.row}, a copy of row {copy.source_row}, {copy.source_token}") for copy in copies]
    fresh = initialize_rest(transformer)
    if fresh:
        notes.append(("initialized afresh", ", ".join(fresh)))
    if HEAD_DENSE in fresh and pass_on(transformer.lm_head.dense, fresh_bias=HEAD_DENSE_BIAS in fresh):
        notes.append((HEAD_DENSE, "the identity, which learns faster than a random matrix"))
    unused = [entry.published for entry in pretrained.entries if not set(entry.ours) & set(own)] + pretrained.left_out
    if unused:
        notes.append(("left out", ", ".join(sorted(unused))))
    logger.info(f"{pretrained.directory}:\n" + "\n".join(f"    {what:<28} {note}" for what, note in notes))


def load_tensors(
    transformer: Transformer, pretrained: Pretrained, *, own: Mapping[str, Shape], copies: Sequence[CopiedRow]
) -> List[Tuple[str, str]]:
    """Loads the pretrained tensors that the Transformer has; returns notes (name, text) on those that were resized."""
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
    path, _, parameter = name.rpartition(".")
    setattr(transformer.get_submodule(path), parameter, nn.Parameter(tensor))


def resized(name: str, before: int, after: int) -> str:
    """Describes how the number of a table's rows has changed."""
    if after < before:
        return f"cut from {before:,} to {after:,} rows: the last ones belong to no token"
    return f"grown from {before:,} to {after:,} rows {GROWTH[name][1]}"


def fitted(name: str, tensor: Tensor, rows: int) -> Tensor:
    """The tensor with ``rows`` rows, in memory of its own: copied if it is part of something larger."""
    if rows > len(tensor):
        return GROWTH[name][0](tensor, rows)
    tensor = tensor[:rows]
    return tensor.contiguous() if tensor.untyped_storage().nbytes() == tensor.nbytes else tensor.clone()


def copy_rows(table: Tensor, copies: Sequence[CopiedRow]) -> None:
    """Copies rows of a table of tokens [V, …] over others, in place."""
    for copy in copies:
        table[copy.row] = table[copy.source_row]


def initialize_rest(transformer: Transformer) -> List[str]:
    """Initializes the parameters that are still on the meta device, and returns their names."""
    fresh = []
    for path, module in transformer.named_modules():
        missing = [name for name, tensor in module.named_parameters(recurse=False) if tensor.is_meta]
        if missing:
            own = module.named_parameters(prefix=path, recurse=False)
            loaded = {name: tensor.detach() for name, tensor in own if not tensor.is_meta}
            module.to_empty(device="cpu", recurse=False)
            initialize(module)
            for name, tensor in loaded.items():
                assign(transformer, name, tensor)
            fresh += [f"{path}.{name}" for name in missing]
    return fresh


def pass_on(dense: nn.Linear, *, fresh_bias: bool) -> bool:
    """Makes the dense layer of a head that the checkpoint lacks pass on what it gets, and returns whether it does.

    It becomes the identity, with a bias (if that is missing, too) that lifts its outputs to where GELU is linear;
    LayerNorm takes it off again. So the hidden states are at first compared with the token table as they are, not
    through a random matrix, which training would have to undo (our own; measured in docs/encoders.md). Where the table
    is narrower than the layers, the random matrix stays.
    """
    rows, columns = dense.weight.shape
    if rows != columns:
        return False
    nn.init.eye_(dense.weight)
    if fresh_bias:
        nn.init.constant_(dense.bias, LINEAR_GELU)
    return True


def check_fit(pretrained: Pretrained, own: Mapping[str, Shape]) -> None:
    """Raises UserError unless the checkpoint's tensors fit the Transformer's; only heads and ZEROS may be missing."""
    for name, shape in pretrained.shapes.items():
        if name in own and not fits(name, shape, own[name]):
            raise UserError(
                f"{pretrained.directory}: {name} has shape {shape}, but its config.json and the vocabulary "
                f"require {own[name]}; use a config.json, vocabulary and weights that belong together"
            )
    missing = [name for name in sorted(set(own) - set(pretrained.shapes)) if not name.startswith(OPTIONAL)]
    if missing:
        raise UserError(
            f"{pretrained.directory}: the weights lack {', '.join(missing[:3])} ({len(missing)} in all); "
            "use a config.json and weights that belong together"
        )
    left_over = sorted(name for name in set(pretrained.shapes) - set(own) if name.startswith("layers."))
    if left_over:
        raise UserError(
            f"{pretrained.directory}: the weights have {', '.join(left_over[:3])} ({len(left_over)} in all), but "
            "config.json has fewer layers; use a config.json and weights that belong together"
        )


def fits(name: str, shape: Shape, own: Shape) -> bool:
    """Whether a tensor of the checkpoint has the Transformer's shape, or can be grown or cut to it."""
    if shape == own:
        return True
    grows = name in GROWTH and shape[0] < own[0]
    shrinks = name in VOCABULARY and shape[0] > own[0]
    return (grows or shrinks) and shape[1:] == own[1:]
