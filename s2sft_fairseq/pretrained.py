"""Pretrained weights: what a checkpoint directory holds, under which names, and how it fills the Transformer.

A family of checkpoints is a table from its names to ours; a table can be read in both directions.
"""

import json
import logging
import re
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Dict, List, NamedTuple, Tuple

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from .errors import UserError
from .transformer import Transformer

logger = logging.getLogger(__name__)

BERT_NAMES: Tuple[Tuple[str, str], ...] = (
    ("bert.embeddings.word_embeddings.", "embeddings.token."),
    ("bert.embeddings.position_embeddings.", "embeddings.position."),
    ("bert.embeddings.token_type_embeddings.", "embeddings.segment."),
    ("bert.embeddings.LayerNorm.", "embeddings.norm."),
    ("bert.encoder.layer.{n}.attention.self.query.", "layers.{n}.attention.query."),
    ("bert.encoder.layer.{n}.attention.self.key.", "layers.{n}.attention.key."),
    ("bert.encoder.layer.{n}.attention.self.value.", "layers.{n}.attention.value."),
    ("bert.encoder.layer.{n}.attention.output.dense.", "layers.{n}.attention.output."),
    ("bert.encoder.layer.{n}.attention.output.LayerNorm.", "layers.{n}.attention_norm."),
    ("bert.encoder.layer.{n}.intermediate.dense.", "layers.{n}.ffn_in."),
    ("bert.encoder.layer.{n}.output.dense.", "layers.{n}.ffn_out."),
    ("bert.encoder.layer.{n}.output.LayerNorm.", "layers.{n}.ffn_norm."),
    ("cls.predictions.transform.dense.", "lm_head.dense."),
    ("cls.predictions.transform.LayerNorm.", "lm_head.norm."),
    ("cls.predictions.bias", "lm_head.bias"),
)
"""Hugging Face's names of BERT's tensors, and ours; ``{n}`` stands for the number of a layer."""

OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
DERIVED = re.compile(r"cls\.predictions\.decoder\.(weight|bias)|bert\.embeddings\.position_ids")
POSITIONS = "embeddings.position.weight"
MODEL_TYPES = ("bert",)
COMPUTED = {"hidden_act": "gelu", "position_embedding_type": "absolute"}  # what the Transformer has built in
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


class Pretrained(NamedTuple):
    """A checkpoint directory: its config.json, and its tensors under our names.

    Attributes:
        directory: where it was read.
        config: as published.
        tensors: those that the Transformer can take.
        left_out: published names of the others (poolers, heads of other tasks).
    """

    directory: Path
    config: Dict[str, Any]
    tensors: Dict[str, Tensor]
    left_out: List[str]


def read_config(directory: Path) -> Dict[str, Any]:
    """The config.json of a checkpoint directory.

    Raises:
        UserError: no such directory, no readable config.json, or a model of another type or kind.
    """
    if not directory.is_dir():
        raise UserError(f"--pretrained: {directory} is not a directory; expected one with config.json and weights")
    path = directory / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{directory} is no checkpoint: it has no config.json; expected a Hugging Face BERT") from None
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}); copy the checkpoint again") from None
    found = config.get("model_type", "bert") if isinstance(config, dict) else None
    if found not in MODEL_TYPES:
        raise UserError(f"{path} says model_type {found!r}; expected one of: {', '.join(MODEL_TYPES)}")
    absent = [key for key in ("vocab_size", "hidden_size", "num_hidden_layers") if key not in config]
    if absent:
        raise UserError(f"{path} lacks {', '.join(absent)}; expected the config.json of a Hugging Face BERT")
    for key, computed in COMPUTED.items():
        if config.get(key, computed) != computed:
            raise UserError(f"{path} says {key} {config[key]!r}; expected {computed!r}, the only one supported")
    return config


def read_weights(directory: Path) -> Dict[str, Tensor]:
    """All tensors of a checkpoint directory under their published names; nothing in a file is ever executed.

    Raises:
        UserError: no weights, or a file that is damaged or is no checkpoint.
    """
    path = next((directory / name for name in WEIGHT_FILES if (directory / name).is_file()), None)
    if path is None:
        raise UserError(f"{directory} has no weights; expected {' or '.join(WEIGHT_FILES)}")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (
        SafetensorError,
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        UnpicklingError,
    ):
        raise UserError(f"{path} cannot be read as weights: it is cut short, damaged or no checkpoint") from None
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise UserError(f"{path} holds something else than named tensors; expected the weights of a BERT")
    return state


def our_name(published: str) -> str:
    """Our name of a published tensor, or '' when the Transformer has no such tensor."""
    for theirs, ours in BERT_NAMES:
        pattern = re.escape(theirs).replace(r"\{n\}", r"(\d+)") + "(weight|bias|)"
        match = re.fullmatch(pattern, published)
        if match:
            layer = match[1] if "{n}" in theirs else ""
            return ours.format(n=layer) + match[match.lastindex or 0]
    return ""


def modern(name: str) -> str:
    """A published name in today's spelling: ``weight`` for ``gamma``, and the ``bert.`` that headless models omit."""
    for old, new in OLD_NAMES.items():
        name = name.replace(old, new)
    return name if name.startswith(("bert.", "cls.")) else f"bert.{name}"


def read(directory: Path) -> Pretrained:
    """Reads a checkpoint directory: its configuration, and its tensors under our names.

    Raises:
        UserError: see :func:`read_config` and :func:`read_weights`; or no tensor has a name of this family.
    """
    config = read_config(directory)
    tensors, left_out = {}, []
    for published, tensor in read_weights(directory).items():
        name = our_name(modern(published))
        if name:
            tensors[name] = tensor
        elif not DERIVED.fullmatch(modern(published)):
            left_out.append(published)
    if "embeddings.token.weight" not in tensors:
        raise UserError(f"{directory} holds no BERT: no word embeddings among its {len(left_out)} tensors")
    return Pretrained(directory, config, tensors, left_out)


def tile_rows(table: Tensor, rows: int) -> Tensor:
    """A position table [P, H] with more rows: its own, over and over (``reuse_position_embedding`` of 000)."""
    return table[torch.arange(rows) % len(table)]


def fill(transformer: Transformer, pretrained: Pretrained) -> None:
    """Copies pretrained tensors into the Transformer, and logs what was loaded, left out, fresh and grown.

    A position table grows by tiling; any other difference in shape is an error.

    Raises:
        UserError: a tensor whose shape cannot fit, or a layer that the weights lack.
    """
    own = transformer.state_dict()
    tensors = dict(pretrained.tensors)
    notes = [f"{pretrained.directory}: loaded {len(tensors)} tensors"]
    table, rows = tensors.get(POSITIONS), len(own[POSITIONS])
    if table is not None and len(table) < rows:
        notes.append(f"positions grown from {len(table)} to {rows} rows by tiling")
        tensors[POSITIONS] = tile_rows(table, rows)
    check_fit(pretrained.directory, tensors, own)
    for name, tensor in tensors.items():
        own[name].copy_(tensor)
    fresh = sorted(set(own) - set(tensors))
    if fresh:
        notes.append(f"initialized afresh: {', '.join(fresh)}")
    if pretrained.left_out:
        notes.append(f"left out: {', '.join(pretrained.left_out)}")
    logger.info("; ".join(notes))


def check_fit(directory: Path, tensors: Dict[str, Tensor], own: Dict[str, Tensor]) -> None:
    """Compares pretrained tensors with those of the Transformer: only its head may be missing."""
    for name, tensor in tensors.items():
        expected = tuple(own[name].shape) if name in own else "no such tensor"
        if expected != tuple(tensor.shape):
            raise UserError(
                f"{directory}: {name} has shape {tuple(tensor.shape)}, its config.json and the vocabulary "
                f"ask for {expected}; use the config.json, vocab.txt and weights that belong together"
            )
    lacking = [name for name in sorted(set(own) - set(tensors)) if not name.startswith("lm_head.")]
    if lacking:
        raise UserError(f"{directory}: the weights lack {', '.join(lacking[:3])} ({len(lacking)} in all)")
