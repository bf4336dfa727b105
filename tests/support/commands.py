"""Runs the literal commands, as a user types them, on tiny models and texts."""

import functools
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence

from fork_server import Done, ForkServer

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SPECIAL = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [f"w{number}" for number in range(40)]
PLUGIN = ["--user-dir", "s2sft_fairseq", "--task", "s2s_ft"]
IMPORT = ["python", "-m", "s2sft_fairseq.import_pretrained"]
ERROR = "s2sft_fairseq: error:"


@functools.lru_cache
def fork_server() -> ForkServer:
    """One for all tests of this process."""
    return ForkServer()


def environment(extra: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    """This process's variables, one thread, no accelerator, the interpreter's commands first."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", **(extra or {})}


def attempt(
    command: Sequence[object],
    *,
    stdin: bytes = b"",
    cwd: Path = ROOT,
    env: Optional[Mapping[str, str]] = None,
    fork: bool = True,
) -> Done:
    """Runs a command from the root of the repository, whatever comes of it; in a fork if that makes no difference."""
    words = ["python" if word == sys.executable else str(word) for word in command]
    if fork and env is None and is_forkable(words):
        return fork_server().run(words, stdin=stdin, cwd=cwd, env=environment())
    done = subprocess.run(words, input=stdin, cwd=cwd, env=environment(env), capture_output=True, check=False)
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace"))


def is_forkable(words: Sequence[str]) -> bool:
    """Whether it is one of fairseq's commands, a module or a script."""
    return words[0].startswith("fairseq-") or (words[0] == "python" and words[1] != "-c")


def run(command: Sequence[object], **options: object) -> Done:
    """Runs a command that must succeed."""
    done = attempt(command, **options)  # type: ignore[arg-type]
    assert done.status == 0, f"{command} ended with {done.status}:\n{done.err[-3000:]}"
    return done


def mistake(command: Sequence[object], **options: object) -> str:
    """Runs a command that must fail as a user's mistake does, and returns the one line that says so."""
    done = attempt(command, **options)  # type: ignore[arg-type]
    assert done.status != 0, f"{command} succeeded"
    assert "Traceback" not in done.err, done.err[-3000:]
    lines = done.err.strip().splitlines()
    assert lines and lines[-1].startswith(ERROR), done.err[-3000:]
    assert sum(line.startswith(ERROR) for line in lines) == 1, done.err[-3000:]
    return lines[-1]


def write_lines(path: Path, lines: Iterable[str]) -> Path:
    """Writes a text file, its directory included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def random_lines(count: int, *, seed: int, shortest: int = 1, longest: int = 8) -> List[str]:
    """Lines of random words."""
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(shortest, longest))) for _ in range(count)]


def make_bert(directory: Path, tokens: Sequence[str] = (*SPECIAL, *WORDS), *, seed: int = 0) -> Path:
    """A tiny random BERT in the published format, with weights large enough that every token matters."""
    import torch
    from transformers import BertConfig, BertForMaskedLM

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(tokens),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    BertForMaskedLM(config).save_pretrained(directory)
    write_lines(directory / "vocab.txt", tokens)
    return directory


def write_pairs(directory: Path, split: str, sources: Iterable[str], targets: Iterable[str]) -> None:
    """The two text files of a split."""
    write_lines(directory / f"{split}.src", sources)
    write_lines(directory / f"{split}.tgt", targets)


def preprocess_command(texts: Path, destination: Path, vocabulary: Path) -> List[object]:
    """fairseq-preprocess for the splits that ``texts`` has."""
    splits = [s for s in ("train", "valid", "test") if (texts / f"{s}.src").exists()]
    prefixes = [word for split in splits for word in (f"--{split}pref", texts / split)]
    languages = ["-s", "src", "-t", "tgt", "--srcdict", vocabulary, "--joined-dictionary"]
    return ["fairseq-preprocess", *PLUGIN, *prefixes, *languages, "--destdir", destination]


def train_command(data: Path, save: Path, **options: object) -> List[object]:
    """fairseq-train with a criterion and an optimizer; ``pretrained=DIR`` becomes ``--pretrained DIR``.

    An option that is True is a flag without a value.
    """
    defaults = dict(criterion="s2s_ft_label_smoothed", optimizer="adam", lr="1e-3", batch_size=8, max_update=4)
    positions = dict(max_source_positions=12, max_target_positions=10)
    words = flags({"arch": "s2s_ft", **defaults, **positions, **options})
    return ["fairseq-train", data, *PLUGIN, "--save-dir", save, "--log-format", "simple", "--cpu", *words]


def generate_command(data: Path, checkpoint: object, **options: object) -> List[object]:
    """fairseq-generate on the CPU."""
    return ["fairseq-generate", data, *PLUGIN, "--path", checkpoint, "--cpu", *flags(options)]


def flags(options: Mapping[str, object]) -> List[object]:
    """Named options as words of a command line."""
    words: List[object] = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        words += [flag] if value is True else [flag, value]
    return words


class Hypothesis(NamedTuple):
    """One line of output with its score (base 2, as fairseq prints it)."""

    score: float
    text: str


def hypotheses(out: str) -> Dict[int, List[Hypothesis]]:
    """The H- lines of fairseq-generate and fairseq-interactive, n-best in order."""
    found: Dict[int, List[Hypothesis]] = {}
    for number, score, text in re.findall(r"^H-(\d+)\t(\S+)\t(.*)$", out, flags=re.MULTILINE):
        found.setdefault(int(number), []).append(Hypothesis(float(score), text))
    return found


def best(out: str) -> List[str]:
    """The first hypothesis of every line, in the order of the input."""
    return [hypos[0].text for _, hypos in sorted(hypotheses(out).items())]


def weights(checkpoint: Path) -> Dict[str, object]:
    """The tensors of the model in a checkpoint."""
    import torch

    return torch.load(checkpoint, map_location="cpu", weights_only=False)["model"]


def assert_equal_weights(one: Path, other: Path) -> None:
    """Compares the final weights of two runs, bit by bit."""
    first, second = (weights(folder / "checkpoint_last.pt") for folder in (one, other))
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert tensor.equal(second[name]), name


def torchrun(data: Path, save: Path, **options: object) -> List[object]:
    """fairseq-train in two processes that speak gloo; the machine's own name may be one that nobody resolves."""
    _, *arguments = train_command(data, save, distributed_backend="gloo", ddp_backend="legacy_ddp", **options)
    launcher = ["torchrun", "--nproc_per_node", 2, "--master_port", 0, "--rdzv_backend", "c10d"]
    here = ["--rdzv_endpoint", "localhost:0", "--local_addr", "localhost"]
    return [*launcher, *here, BIN / "fairseq-train", *arguments]
