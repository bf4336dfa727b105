"""Table 6 of UniLMv2 (001) in small: six starts and their seeds, and what each predicts under every layout.

    python examples/pretraining_ablation.py --data text-bin --work work --updates 5000 --jobs 2          two CPU threads
    python examples/pretraining_ablation.py --data text-bin --work work --updates 4000 --jobs 18 --gpu   side by side

``--data`` is what fairseq-preprocess --only-source made of plain text, with train and valid. Every model starts from
nothing (from ``--pretrained DIR`` if that is given), sees the same texts in the same order, and is then asked for the
held-out likelihood of the same masked tokens under the layouts of AE, PAR and AR. With ``--pairs DATA-BIN`` each is
fine-tuned, too, and scored by ROUGE-L on the validation split. Commands are shown and can be typed by hand; what is
finished is not run again. The table is printed in the end.
"""

import argparse
import os
import re
import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

from execution import execute, is_finished, write_finished
from stages import MONOLINGUAL, PLUGIN, Command, command, flags, linear_decay

STARTS = {
    "AE+PAR, relative bias": {"pmlm-objective": "ae_par", "relative-buckets": 32},
    "AE+PAR": {"pmlm-objective": "ae_par"},
    "AE+AR": {"pmlm-objective": "ae_ar"},
    "AE": {"pmlm-objective": "ae"},
    "PAR": {"pmlm-objective": "par"},
    "AR": {"pmlm-objective": "ar"},
}
"""The rows of Table 6, and the flags that make them."""

LAYOUTS = ("ae", "par", "ar")
SIZES = {"encoder-layers": 4, "encoder-embed-dim": 256, "encoder-ffn-embed-dim": 1024, "encoder-attention-heads": 4}
"""Of the quickstart's encoder."""

LENGTHS = {"max-source-positions": 96, "max-target-positions": 40}
MODEL = {"arch": "s2s_ft", "criterion": "s2s_ft_label_smoothed", **LENGTHS}
OPTIMIZER = {"optimizer": "s2s_ft_adamw", "adam-betas": "(0.9, 0.98)", "weight-decay": 0.01}
LOG = {"no-epoch-checkpoints": True, "log-format": "simple", "log-interval": 50}
TUNING_UPDATES = 400


class Run(NamedTuple):
    """One start with one seed, and the folder of all that it makes."""

    start: str
    seed: int
    folder: Path

    @property
    def checkpoint(self) -> Path:
        """The pre-trained model."""
        return self.folder / "checkpoint_last.pt"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="binarized text")
    parser.add_argument("--work", type=Path, required=True, help="folder of all that is made")
    parser.add_argument("--pairs", type=Path, help="binarized pairs to fine-tune on")
    parser.add_argument("--pretrained", type=Path, help="the encoder to start from (default: random weights)")
    parser.add_argument("--updates", type=int, default=5000, help="of each pre-training (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="how many (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time (default: %(default)s)")
    parser.add_argument("--lr", type=float, default=1e-3, help="the highest learning rate (default: %(default)s)")
    parser.add_argument("--max-tokens", type=int, default=4096, help="slots of a batch (default: %(default)s)")
    parser.add_argument("--gpu", action="store_true", help="all on one GPU, in bfloat16 (default: the CPU)")
    return parser.parse_args()


def runs(args: argparse.Namespace) -> list[Run]:
    """All trainings, the seeds of a start after one another."""
    names = {start: re.sub(r"\W+", "-", start.lower()) for start in STARTS}
    seeds = range(1, args.seeds + 1)
    return [Run(start, seed, args.work.resolve() / f"{name}-{seed}") for start, name in names.items() for seed in seeds]


def device(args: argparse.Namespace) -> dict[str, bool]:
    """The flags that say where to compute."""
    return {"bf16": True} if args.gpu else {"cpu": True}


def commands(run: Run, args: argparse.Namespace) -> Iterator[Command]:
    """Pre-training, held-out likelihoods, and, if there are pairs, fine-tuning."""
    start = {"pretrained": args.pretrained} if args.pretrained else SIZES
    objective = {"objective": "pmlm", **STARTS[run.start]}
    schedule = {"lr": args.lr, "max-tokens": args.max_tokens, **linear_decay(args.updates, args.updates // 20)}
    where = {"seed": run.seed, "save-dir": run.folder, **device(args), **LOG}
    options = {**MODEL, **objective, **start, **OPTIMIZER, **schedule, **where}
    yield ["fairseq-train", str(args.data), *MONOLINGUAL, *flags(options)]
    for layout in LAYOUTS:
        checked = {"path": run.checkpoint, "model-overrides": str({"pmlm_objective": layout})}
        rest = {"max-tokens": args.max_tokens, "log-format": "simple", **device(args)}
        yield ["fairseq-validate", str(args.data), *MONOLINGUAL, *flags({**checked, **rest})]
    if args.pairs:
        exported = run.folder / "exported"
        yield command(
            "python -m s2sft_fairseq.export_pretrained", checkpoint=run.checkpoint, to=exported, **vocabulary(args)
        )
        yield fine_tuning(run, exported, args)


def vocabulary(args: argparse.Namespace) -> dict[str, Path]:
    """Where the vocabulary files are, which an export copies."""
    return {} if args.pretrained else {"vocab": Path("examples", "quickstart", "encoder")}


def fine_tuning(run: Run, encoder: Path, args: argparse.Namespace) -> Command:
    """A short fine-tuning, scored at its end."""
    method = {
        "pretrained": encoder,
        "finetune-method": "pseudo_masked",
        "target-mask-prob": 0.2,
        "attention-dropout": 0,
    }
    schedule = {"lr": 5e-4, "batch-size": 16, **linear_decay(TUNING_UPDATES, warmup=50)}
    scored = {"eval-rouge": True, "best-checkpoint-metric": "rouge_l", "maximize-best-checkpoint-metric": True}
    where = {"seed": run.seed, "save-dir": run.folder / "tuned", **device(args), **LOG}
    options = {**MODEL, **method, **OPTIMIZER, **schedule, **scored, **where}
    return ["fairseq-train", str(args.pairs), *PLUGIN, *flags(options)]


def follow(run: Run, args: argparse.Namespace) -> None:
    """Runs the commands of one training, unless they have been run."""
    done = [*commands(run, args)]
    lines = [shlex.join(words) for words in done]
    finished = run.folder.with_name(f"{run.folder.name}.done")
    if is_finished(finished, lines):
        return
    run.folder.mkdir(parents=True, exist_ok=True)
    (run.folder / "log.txt").unlink(missing_ok=True)
    for line in lines:
        print(f"$ {line}", flush=True)
        execute(line, run.folder / "log.txt")
    write_finished(finished, lines)


def found(run: Run) -> dict[str, float]:
    """The figures in the log of one training: nll in bits per masked token, ROUGE-L."""
    log = (run.folder / "log.txt").read_text(encoding="utf-8")
    validated = log[log.index("fairseq_cli.validate") :]
    figures = {layout: re.findall(rf"nll_{layout} ([\d.]+)", validated)[-1] for layout in LAYOUTS}
    scored = re.findall(r"\| rouge_l ([\d.]+)", validated)
    return {name: float(value) for name, value in {**figures, **({"rouge_l": scored[-1]} if scored else {})}.items()}


def table(done: list[Run]) -> Iterator[str]:
    """What came out, in Markdown: means over the seeds, with their deviation."""
    columns = [*found(done[0])]
    yield "| start | " + " | ".join(f"nll under {name}" if name in LAYOUTS else "ROUGE-L" for name in columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for start in STARTS:
        figures = [found(run) for run in done if run.start == start]
        yield f"| {start} | " + " | ".join(spread([one[name] for one in figures]) for name in columns) + " |"


def spread(values: list[float]) -> str:
    """Mean and standard deviation."""
    return f"{mean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


def main() -> None:
    """Runs the command."""
    args = arguments()
    os.environ["OMP_NUM_THREADS"] = "1"
    planned = runs(args)
    with ThreadPoolExecutor(args.jobs) as pool:
        for waiting in [pool.submit(follow, run, args) for run in planned]:
            waiting.result()
    print("\n".join(table(planned)))


if __name__ == "__main__":
    main()
