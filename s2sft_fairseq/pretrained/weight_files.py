"""Opens the weights of a pretrained directory: finds the files, whatever their format, and joins shards."""

import json
from pathlib import Path
from typing import Dict, List, Optional

from torch import Tensor

from ..common.errors import UserError
from .weight_formats import OPENERS, NpyFolder, Weights

__all__ = ["Shards", "Weights", "find_config", "open_weights"]

INDEX = ".index.json"
STANDARD = (
    "model.safetensors",
    f"model.safetensors{INDEX}",
    "pytorch_model.bin",
    f"pytorch_model.bin{INDEX}",
    "model.pt",
)
"""The names that weights are published under, in order of preference."""

BESIDES = ("training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.bin", "scheduler.pt", "rng_state.pth")
"""Files that a trainer writes beside the weights, and that hold none."""

CONFIGS = ("config.json", "ernie_config.json")
OTHER_CONFIGS = ("tokenizer", "generation", "preprocessor", "processor", "special_tokens", "adapter")
"""The prefixes of ``*config.json`` files that do not describe the model."""


class Shards(Weights):
    """Weights in several files, which an index lists."""

    def __init__(self, index: Path) -> None:
        file_of = read_index(index)
        files = sorted(set(file_of.values()))
        absent = [file for file in files if not (index.parent / file).is_file()]
        if absent:
            raise UserError(f"{index} names {len(files)} shards, but {', '.join(absent)} is missing; copy every shard")
        shards = {file: OPENERS[Path(file).suffix](index.parent / file) for file in files}
        self.shard_of = {name: shards[file] for name, file in file_of.items()}
        missing = [name for name, shard in self.shard_of.items() if name not in shard.shapes]
        if missing:
            raise UserError(f"{index} names {missing[0]}, which is not in {file_of[missing[0]]}; copy the shards again")
        super().__init__(index, {name: shard.shape(name) for name, shard in self.shard_of.items()})

    def take(self, name: str) -> Tensor:
        return self.shard_of[name].take(name)


def read_index(path: Path) -> Dict[str, str]:
    """Reads the index of sharded weights: the file of every tensor.

    Raises:
        UserError: it is not such an index.
    """
    try:
        file_of = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        if file_of and all(Path(file).suffix in OPENERS for file in file_of.values()):
            return file_of
    except (ValueError, TypeError, LookupError, AttributeError):
        pass
    raise UserError(
        f"{path} is not an index of shards: expected JSON with a weight_map from tensors to files; copy it again"
    )


def open_weights(directory: Path) -> Weights:
    """Opens the weights of a pretrained directory; of several formats, the first of safetensors, bin, pt, npz, npy.

    Raises:
        UserError: no weights, several files of which none has a standard name, or a file that cannot be read.
    """
    path = find_weights(directory)
    if path.is_dir():
        return NpyFolder(path)
    return Shards(path) if path.name.endswith(INDEX) else OPENERS[path.suffix](path)


def find_weights(directory: Path) -> Path:
    """The file that holds a directory's weights, the index of its shards, or its folder of ``NAME.npy`` files."""
    for path in (directory / name for name in STANDARD):
        if path.is_file():
            return path
    for suffix in OPENERS:
        only = the_only_one([path for path in directory.glob(f"*{suffix}") if path.name not in BESIDES])
        if only:
            return only
    for folder in (directory, directory / "params"):
        if any(folder.glob("*.npy")):
            return folder
    raise UserError(
        f"{directory} has no weights; expected {', '.join(STANDARD)}, "
        f"one other file *{', *'.join(OPENERS)}, or NAME.npy files there or in params/"
    )


def the_only_one(paths: List[Path]) -> Optional[Path]:
    """The only path in a list, or None if the list is empty.

    Raises:
        UserError: there are several.
    """
    if len(paths) > 1:
        found = ", ".join(sorted(path.name for path in paths))
        if all(path.name.startswith("checkpoint") for path in paths):
            raise UserError(trained_checkpoint(max(paths, key=lambda path: path.name == "checkpoint_best.pt")))
        raise UserError(
            f"{paths[0].parent} holds several weight files and none is called {' or '.join(STANDARD)}: {found}; "
            "keep only one there (or add the index of the shards)"
        )
    return paths[0] if paths else None


def trained_checkpoint(path: Path) -> str:
    """What to do with a checkpoint of fairseq-train where pretrained weights are expected."""
    return (
        f"{path} is a checkpoint of training, not a pretrained model; go on from it with --finetune-from-model {path}, "
        f"or make a directory of it: python -m s2sft_fairseq.export_pretrained --checkpoint {path} --to DIR"
    )


def find_config(directory: Path) -> Optional[Path]:
    """The file that describes a directory's model: one of CONFIGS, or the only other ``*config.json``; None: none."""
    for path in (directory / name for name in CONFIGS):
        if path.is_file():
            return path
    others = [path for path in directory.glob("*config.json") if not path.name.startswith(OTHER_CONFIGS)]
    return others[0] if len(others) == 1 else None
