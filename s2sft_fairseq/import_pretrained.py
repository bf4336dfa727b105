"""Turns a pretrained encoder into a complete fairseq checkpoint: ``model.pt`` and ``dict.txt``.

    python -m s2sft_fairseq.import_pretrained --from bert-base-uncased --to imported [--finetune-method causal]

fairseq-preprocess takes the dictionary (--srcdict imported/dict.txt --joined-dictionary), fairseq-generate and
fairseq-interactive the checkpoint (--path imported/model.pt).
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Optional

import torch
from fairseq import options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import DictConfig

from .dictionary import PretrainedDictionary
from .objectives import OBJECTIVES
from .pretrained import read_config
from .task import S2SFTTask


def arguments(argv: Optional[List[str]]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m s2sft_fairseq.import_pretrained",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--from", dest="source", required=True, help="directory with config.json, vocab.txt, weights")
    parser.add_argument("--to", dest="destination", required=True, help="directory for model.pt and dict.txt")
    parser.add_argument(
        "--finetune-method",
        default="pseudo_masked",
        choices=sorted(OBJECTIVES),
        help="(default: %(default)s)",
    )
    parser.add_argument("--max-source-positions", default="448", help="longest source (default: %(default)s)")
    parser.add_argument("--max-target-positions", default="64", help="longest target (default: %(default)s)")
    parser.add_argument("--source-type-id", default="0", help="segment of source tokens (default: %(default)s)")
    parser.add_argument("--target-type-id", default="1", help="segment of target tokens (default: %(default)s)")
    return parser.parse_args(argv)


def fairseq_config(args: argparse.Namespace) -> DictConfig:
    """The configuration that fairseq-train would have made of the same choices."""
    parser = options.get_training_parser(default_task="s2s_ft")
    namespace = options.parse_args_and_arch(
        parser,
        [
            "data-bin",
            "--arch",
            "s2s_ft",
            "--criterion",
            "s2s_ft_label_smoothed",
            "--source-lang",
            "src",
            "--target-lang",
            "tgt",
            "--pretrained",
            args.source,
            "--finetune-method",
            args.finetune_method,
            "--max-source-positions",
            args.max_source_positions,
            "--max-target-positions",
            args.max_target_positions,
            "--source-type-id",
            args.source_type_id,
            "--target-type-id",
            args.target_type_id,
        ],
    )
    return convert_namespace_to_omegaconf(namespace)


def checkpoint(cfg: DictConfig, state: Dict[str, torch.Tensor]) -> Dict[str, Any]:
    """What fairseq reads from a checkpoint, as if training had stopped before its first update."""
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
        "model": state,
        "optimizer_history": [history],
        "extra_state": {"epoch": 0},
        "last_optimizer_state": None,
        "task_state": {},
    }


def write(destination: Path, state: Dict[str, Any], dictionary: PretrainedDictionary) -> None:
    """Writes both files under temporary names first: they appear whole, or not at all."""
    destination.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(dir=destination))
    try:
        torch.save(state, workshop / "model.pt")
        dictionary.save(str(workshop / "dict.txt"))
        for name in ("dict.txt", "model.pt"):
            os.replace(workshop / name, destination / name)
    finally:
        shutil.rmtree(workshop)


def main(argv: Optional[List[str]] = None) -> None:
    """Runs the command."""
    args = arguments(argv)
    read_config(Path(args.source))
    dictionary = PretrainedDictionary.load(args.source)
    cfg = fairseq_config(args)
    task = S2SFTTask(cfg.task, dictionary)
    model = task.build_model(cfg.model)
    write(Path(args.destination), checkpoint(cfg, model.state_dict()), dictionary)
    print(f"wrote {args.destination}/model.pt and {args.destination}/dict.txt")


if __name__ == "__main__":
    main()
