"""Turns a pretrained encoder into a complete fairseq checkpoint: ``model.pt``, ``dict.txt`` and the vocabulary files.

    python -m s2sft_fairseq.import_pretrained --from bert-base-uncased --to imported [--finetune-method causal]

fairseq-preprocess reads the dictionary (--srcdict imported/dict.txt --joined-dictionary), fairseq-generate and
fairseq-interactive read the checkpoint (--path imported/model.pt).
"""

import argparse
from pathlib import Path
from typing import Any, Dict, List, Optional

import torch
from fairseq import options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import DictConfig

from .common.atomic_files import whole_files
from .common.command_line import command_parser
from .common.fairseq_patches import run_command
from .models.seq2seq_model import S2SFTModel
from .objectives.finetuning import OBJECTIVES
from .pretrained.checkpoint import check_directory
from .text import checkpoint_vocabulary, vocabulary
from .text.dictionary import PretrainedDictionary
from .training.finetuning_task import S2SFTTask


def arguments(argv: Optional[List[str]]) -> argparse.Namespace:
    """The command line."""
    parser = command_parser("import_pretrained", __doc__)
    parser.add_argument(
        "--from", dest="source", required=True, help="directory with the configuration, vocabulary and weights"
    )
    parser.add_argument(
        "--to", dest="destination", required=True, help="directory for model.pt, dict.txt and the vocabulary files"
    )
    parser.add_argument(
        "--finetune-method",
        default="pseudo_masked",
        choices=sorted(OBJECTIVES),
        help="fine-tuning method (default: %(default)s)",
    )
    for flag, explanation in OPTIONS.items():
        parser.add_argument(flag, help=explanation)
    return parser.parse_args(argv)


OPTIONS = {
    "--pretrained-type": "family of the checkpoint, if it is not recognized from its files",
    "--vocab-add": "file of tokens, one per line, to append to the vocabulary",
    "--max-source-positions": "maximum source length in tokens (default: 448)",
    "--max-target-positions": "maximum target length in tokens (default: 64)",
    "--type-vocab-size": "number of rows of the segment table (default: as pretrained)",
    "--source-type-id": "segment id of source tokens (default: as pretrained)",
    "--target-type-id": "segment id of target tokens (default: as pretrained)",
    "--turn-rows": "number of rows of the table of dialogue turns (default: as pretrained)",
    "--source-layout": "what end tokens separate within a source: columns, dialogue, ... (default: plain)",
}
"""Options that are passed on to the model unchanged."""


def fairseq_config(args: argparse.Namespace) -> DictConfig:
    """The configuration that fairseq-train makes from the same options."""
    parser = options.get_training_parser(default_task="s2s_ft")
    words = ["data-bin", "--arch", "s2s_ft", "--criterion", "s2s_ft_label_smoothed", "-s", "src", "-t", "tgt"]
    words += ["--pretrained", args.source, "--finetune-method", args.finetune_method]
    for flag in OPTIONS:
        value = getattr(args, flag[2:].replace("-", "_"))
        words += [] if value is None else [flag, value]
    return convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, words))


def checkpoint(cfg: DictConfig, model: S2SFTModel, task: S2SFTTask) -> Dict[str, Any]:
    """The content of a fairseq checkpoint, as if training had stopped before the first update."""
    history = {
        "criterion_name": "SlotCriterion",
        "optimizer_name": "FairseqAdam",
        "lr_scheduler_state": {},
        "num_updates": 0,
        "best_loss": None,
    }
    return {
        "args": None,
        "cfg": cfg,
        "model": model.state_dict(),
        "optimizer_history": [history],
        "extra_state": {"epoch": 0},
        "last_optimizer_state": None,
        "task_state": task.state_dict(),
    }


def main(argv: Optional[List[str]] = None) -> None:
    """Runs the command."""
    args = arguments(argv)
    source, destination = Path(args.source), Path(args.destination)
    check_directory(source)
    dictionary = PretrainedDictionary(vocabulary.read(source, add=args.vocab_add))
    cfg = fairseq_config(args)
    task = S2SFTTask(cfg.task, dictionary)
    model = task.build_model(cfg.model)
    with whole_files(destination) as workshop:
        checkpoint_vocabulary.write_files(workshop, dictionary, source=source, added=cfg.model.added_tokens.split())
        torch.save(checkpoint(cfg, model, task), workshop / "model.pt")
    print(f"wrote {destination}/model.pt and {destination}/dict.txt")


if __name__ == "__main__":
    run_command(main)
