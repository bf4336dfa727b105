"""Merges low-rank adapters (LoRA) into the weights: a checkpoint as of full fine-tuning, with the same output.

    python -m s2sft_fairseq.merge_adapters checkpoints/checkpoint_best.pt --to merged.pt

A checkpoint of --save-adapter-only also needs the pretrained weights; --pretrained names their directory if it moved.
"""

import argparse
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

import torch
from torch import Tensor

from .common.atomic_files import whole_files
from .common.command_line import command_parser
from .common.errors import UserError
from .common.fairseq_patches import run_command
from .models import checkpoints
from .models.adapters import has_adapters, merge
from .text.checkpoint_vocabulary import CheckpointVocabulary, unpacked
from .text.dictionary import PretrainedDictionary
from .training.finetuning_task import S2SFTTask


def arguments(argv: Optional[List[str]]) -> argparse.Namespace:
    """The command line."""
    parser = command_parser("merge_adapters", __doc__)
    parser.add_argument("checkpoint", type=Path, help="of fairseq-train --lora-rank: a file, or a directory with one")
    parser.add_argument("--to", dest="destination", required=True, type=Path, help="checkpoint to write")
    parser.add_argument("--pretrained", help="directory of the pretrained weights, if they have moved")
    return parser.parse_args(argv)


def read_adapted(path: Path, pretrained: Optional[str]) -> Dict[str, Any]:
    """Reads a checkpoint with adapters.

    Raises:
        UserError: there is no such file, or it is not a checkpoint with adapters.
    """
    state = checkpoints.read(path)
    options = state["cfg"].model
    if not has_adapters(options):
        raise UserError(f"{path} has no adapters; expected a checkpoint of fairseq-train --lora-rank")
    options.pretrained = pretrained or options.pretrained
    return state


def merged_tensors(state: Mapping[str, Any], dictionary: PretrainedDictionary) -> Dict[str, Tensor]:
    """All tensors of a checkpoint's model, with its low-rank adapters merged into the weights.

    Raises:
        UserError: the model has bottleneck adapters, or its pretrained weights are missing or different ones.
    """
    options = state["cfg"].model
    if options.adapter_dim:
        raise UserError(
            f"the checkpoint has bottleneck adapters (--adapter-dim {options.adapter_dim}), which cannot be merged "
            "into the weights; generate with the checkpoint itself"
        )
    model = S2SFTTask(state["cfg"].task, dictionary).build_model(options, from_checkpoint=True)
    model.load_state_dict(state["model"], model_cfg=options)
    merge(model.transformer)
    model.part = None
    return model.state_dict()


def main(argv: Optional[List[str]] = None) -> None:
    """Runs the command."""
    args = arguments(argv)
    args.checkpoint = checkpoints.find(args.checkpoint)
    state = read_adapted(args.checkpoint, args.pretrained)
    with unpacked(state.get("task_state", {})) as carried:
        dictionary = CheckpointVocabulary(carried, [args.checkpoint.parent], state["cfg"].model).dictionary()
    tensors = merged_tensors(state, dictionary)
    state["cfg"].model.update({"lora_rank": 0, "lora_alpha": None, "save_adapter_only": False})
    with whole_files(args.destination.parent) as workshop:  # the optimizer's state belongs to the adapters
        torch.save({**state, "model": tensors, "last_optimizer_state": None}, workshop / args.destination.name)
    print(f"wrote {args.destination}")


if __name__ == "__main__":
    run_command(main)
