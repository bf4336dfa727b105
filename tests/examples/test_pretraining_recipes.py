"""The recipes of pre-training: the papers' numbers, commands that parse, and the way from plain text to fine-tuning."""

import itertools
import json
from pathlib import Path
from typing import Dict, List, Tuple

import estimates
import numpy as np
import pytest
from commands import (
    ROOT,
    attempt,
    best,
    generate_command,
    preprocess_command,
    random_lines,
    run,
    train_command,
    write_lines,
)
from corpora import texts_of
from fairseq import options
from pages import PAGES, text
from pretraining_objectives import pretraining
from pretraining_recipes import Pretraining, choose_pretraining, pretraining_tasks, pretrainings
from pretraining_run import smaller
from pretraining_stages import STAGES, PretrainingRun, schedule

from s2sft_fairseq.common.registered_options import check_declared
from s2sft_fairseq.objectives.finetuning import OBJECTIVES
from s2sft_fairseq.objectives.pretraining import PRETRAINING

DRIVER = ["python", "examples/run.py"]
SYSTEMS = [recipe for task in pretraining_tasks() for recipe in pretrainings(task)]
OBJECTIVE = {"pretrain-unilm": "unilm", "pretrain-unilmv2": "pmlm", "pretrain-ernie-gen": "ernie_gen"}


def name_of(recipe: Pretraining) -> str:
    return f"{recipe.task}-{recipe.name}"


def run_of(recipe: Pretraining, **given: object) -> PretrainingRun:
    return PretrainingRun(recipe, Path("raw"), Path("work"), **given)  # type: ignore[arg-type]


def training_words(recipe: Pretraining, **given: object) -> List[str]:
    (words,) = STAGES["train"](run_of(recipe, **given))
    return words


def test_every_task_has_its_objective_a_text_and_a_script() -> None:
    assert {task: choose_pretraining(task).objective for task in pretraining_tasks()} == OBJECTIVE
    for task in OBJECTIVE:
        folder = ROOT / "examples" / task
        assert (folder / "README.md").is_file()
        script = (folder / "run.sh").read_text(encoding="utf-8").splitlines()[-1]
        assert script == f'exec python "$(dirname "${{BASH_SOURCE[0]}}")/../run.py" {task} "$@"'
    assert len({name_of(recipe) for recipe in SYSTEMS}) == len(SYSTEMS)


@pytest.mark.parametrize("recipe", SYSTEMS, ids=name_of)
@pytest.mark.parametrize("start", [{"pretrained": Path("model")}, {"cpu": True}], ids=["pretrained", "from scratch"])
def test_fairseq_train_understands_the_settings(recipe: Pretraining, start: Dict[str, object]) -> None:
    """And no option belongs to another objective or method; biases and LayerNorms do not decay."""
    words = training_words(recipe, **start)
    parsed = options.parse_args_and_arch(options.get_training_parser(), words[1:])
    assert (parsed.task, parsed.objective) == ("s2s_pretraining", recipe.objective)
    check_declared(parsed, recipe.objective, PRETRAINING, "--objective")
    by_default = PRETRAINING[recipe.objective].model_options["finetune_method"]
    method = recipe.train.get("finetune-method", by_default)
    check_declared(parsed, method, OBJECTIVES, "--finetune-method")
    assert (parsed.optimizer, parsed.weight_decay, parsed.label_smoothing) == ("s2s_ft_adamw", 0.01, 0)
    assert parsed.random_tokens == "all" and parsed.dropout == 0.1 and parsed.max_source_positions == 512
    assert parsed.fp16_no_flatten_grads == parsed.fp16 == ("cpu" not in start)
    assert int(parsed.total_num_update) == parsed.max_update == recipe.schedule["updates"]
    assert parsed.arch == ("s2s_ft_large" if recipe.size == "large" else "s2s_ft")


PUBLISHED: Dict[Tuple[str, str], Dict[str, str]] = {
    ("pretrain-unilm", "large"): {
        **{"--lr": "3e-5", "--warmup-updates": "40000", "--max-update": "770000", "--clip-norm": "1.0"},
        **{"--adam-betas": "(0.9, 0.999)", "--mask-share": "0.15", "--arch": "s2s_ft_large"},
    },
    ("pretrain-unilmv2", "base"): {
        **{"--lr": "6e-4", "--warmup-updates": "24000", "--max-update": "500000", "--clip-norm": "0.0"},
        **{"--adam-betas": "(0.9, 0.98)", "--adam-eps": "1e-6", "--mask-share": "0.15", "--relative-buckets": "32"},
    },
    ("pretrain-unilmv2", "base-ablation"): {
        **{"--lr": "1e-4", "--warmup-updates": "10000", "--max-update": "1000000", "--relative-buckets": "32"},
        **{"--adam-betas": "(0.9, 0.999)"},
    },
    ("pretrain-ernie-gen", "base"): {
        **{"--lr": "5e-5", "--warmup-updates": "4000", "--max-update": "400000", "--adam-eps": "1e-9"},
        **{"--adam-betas": "(0.9, 0.999)", "--noise-prob": "0.05", "--word-flow-weight": "0.5"},
        **{"--fragment-share": "0.25", "--fragment-lengths": "1-4:0.4,4-32:0.6"},
    },
    ("pretrain-ernie-gen", "large"): {"--max-update": "450000", "--noise-prob": "0.05"},
    ("pretrain-ernie-gen", "large-430g"): {"--max-update": "1000000"},
    ("pretrain-ernie-gen", "base-without-noise"): {"--noise-prob": "0", "--word-flow-weight": "0.5"},
    ("pretrain-ernie-gen", "base-without-spans"): {"--noise-prob": "0.2", "--word-flow-weight": "1"},
    ("pretrain-ernie-gen", "base-without-both"): {"--noise-prob": "0", "--word-flow-weight": "1"},
    ("pretrain-ernie-gen", "base-typical"): {"--finetune-method": "causal", "--target-mask-prob": "0"},
}
"""004, section 2.4; 001, table 7 and footnote 2; 003, section 4.1, appendix A.1, tables 7 and 8."""


@pytest.mark.parametrize(("task", "name"), PUBLISHED, ids="-".join)
def test_numbers_of_the_papers(task: str, name: str) -> None:
    (recipe,) = [found for found in pretrainings(task) if found.name == name]
    words = training_words(recipe)
    found = dict(itertools.pairwise(words))
    assert {flag: found[flag] for flag in PUBLISHED[task, name]} == PUBLISHED[task, name]


def test_lm_shares_of_unilm() -> None:
    words = training_words(choose_pretraining("pretrain-unilm"))
    shares = words[words.index("--lm-shares") + 1]
    assert shares == "bidirectional:2,seq2seq:2,left_to_right:1,right_to_left:1"


def test_vocabularies_and_spans_of_the_papers() -> None:
    sizes = {task: choose_pretraining(task).vocabulary["size"] for task in OBJECTIVE}
    assert sizes == {"pretrain-unilm": 28_996, "pretrain-unilmv2": 30_522, "pretrain-ernie-gen": 30_522}
    assert {task for task in OBJECTIVE if choose_pretraining(task).vocabulary.get("cased")} == {"pretrain-unilm"}
    with_spans = {name_of(recipe): dict(recipe.spans) for recipe in SYSTEMS if recipe.spans}
    assert set(with_spans) == {
        f"pretrain-ernie-gen-{name}" for name in ("base", "large", "large-430g", "base-without-noise")
    }
    assert all(spans == {"bigrams": 200_000, "trigrams": 50_000} for spans in with_spans.values())


def test_table_6_of_unilmv2() -> None:
    """Six rows: relative positions in the first alone, then the other objectives."""
    found = [recipe for recipe in pretrainings("pretrain-unilmv2") if recipe.variant]
    rows = [(r.where[-1], r.train["relative-buckets"], r.train.get("pmlm-objective", "ae_par")) for r in found]
    assert rows == [
        *(("1", 32, "ae_par"), ("2", 0, "ae_par"), ("3", 0, "ae_ar")),
        *(("4", 0, "ae"), ("5", 0, "par"), ("6", 0, "ar")),
    ]
    assert all(recipe.schedule["batch"] == 256 for recipe in found)


@pytest.mark.parametrize(
    ("task", "texts"), [("pretrain-unilm", 330), ("pretrain-unilmv2", 7680), ("pretrain-ernie-gen", 196_608 // 512)]
)
@pytest.mark.parametrize(("gpu_batch", "gpus"), [(8, 1), (8, 2), (100, 3), (1, 1)])
def test_batches_are_those_of_the_paper(task: str, texts: int, gpu_batch: int, gpus: int) -> None:
    """Whatever a GPU takes at once, and on any number of them."""
    recipe = choose_pretraining(task)
    found = schedule(run_of(recipe, gpu_batch=gpu_batch, gpus=gpus))
    if task == "pretrain-ernie-gen":
        at_once, rest = divmod(found["max-tokens"], recipe.longest)
        assert not rest
    else:
        at_once = found["batch-size"]
    assert at_once * found["update-freq"] * gpus == texts
    assert at_once <= gpu_batch and found["distributed-world-size"] == gpus


def test_gpus_that_cannot_share_a_batch() -> None:
    with pytest.raises(SystemExit, match="--gpus 7: a batch of 330 texts cannot be divided by it"):
        schedule(run_of(choose_pretraining("pretrain-unilm"), gpus=7))


@pytest.mark.parametrize("recipe", SYSTEMS, ids=name_of)
@pytest.mark.parametrize("positions", [24, 64, 512])
def test_slots_are_those_of_the_objective(recipe: Pretraining, positions: int) -> None:
    """What memory and batches are planned with: never less than the objective needs, and not much more."""
    small = smaller(recipe, positions=positions, batch=None)
    flags = ("mask-share", "pmlm-objective", "fragment-share")
    chosen = {name.replace("-", "_"): recipe.train[name] for name in flags if name in recipe.train}
    if recipe.objective == "unilm":
        chosen["no_nsp"] = True  # the text is one document
    made_by = pretraining(recipe.objective, **chosen)
    if recipe.objective == "ernie_gen":
        made_by.method.word_flow_weight = 0.5 if recipe.spans else 1.0
    layout = texts_of([positions - made_by.special_tokens] * 4, positions - made_by.special_tokens).layout
    spans = made_by.spans(layout, longest=int(layout.sizes[0]), training=False, rng=np.random.default_rng(0))
    source, rest = made_by.slot_counts(spans, training=True)
    most = int((source + rest).max())
    assert most <= small.longest + (10 if recipe.objective == "pmlm" else 0)  # where its bound allows for overshoot
    assert small.longest == pytest.approx(most, rel=0.05, abs=14)


def test_estimates_grow_with_what_they_are_made_of() -> None:
    found = {name_of(recipe): estimates.estimate(recipe) for recipe in SYSTEMS}
    assert found["pretrain-unilm-base"].hours < found["pretrain-unilm-large"].hours
    assert found["pretrain-unilmv2-base-ablation-ae"].hours < found["pretrain-unilmv2-base-ablation"].hours
    # six times the weights of the layers for each slot, plus attention and the head
    layers = 6 * 512 * 330 * 770_000 * 24 * 12 * 1024**2 / 1e18
    assert layers < found["pretrain-unilm-large"].exaflops < 1.2 * layers


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "expected --raw PATH, --work DIR (or --list, --estimate)"),
        ("--raw x --work y", "expected either --pretrained DIR, the encoder to start from, or --from-scratch"),
        ("--raw x --work y --pretrained z --from-scratch", "expected either --pretrained DIR"),
        ("--raw x --work y --pretrained z --arch s2s_ft_tiny", "--arch s2s_ft_tiny: --pretrained decides this"),
        ("--raw nowhere --work y --from-scratch", "--raw nowhere does not exist; expected a text file"),
        ("--raw README.md --work y --pretrained nowhere", "--pretrained nowhere is not a folder"),
        ("--raw README.md --work y --from-scratch --size huge", "pretrain-unilm has no system with --size huge"),
    ],
)
def test_mistakes_are_one_line(words: str, message: str) -> None:
    done = attempt([*DRIVER, "pretrain-unilm", *words.split()])
    assert done.status and message in done.err.splitlines()[-1]


@pytest.mark.parametrize("task", OBJECTIVE)
@pytest.mark.parametrize("start", [["--from-scratch"], ["--pretrained", "model"]], ids=["scratch", "pretrained"])
def test_dry_run_shows_the_commands_and_writes_nothing(task: str, start: List[str], tmp_path: Path) -> None:
    words = ["--raw", tmp_path / "raw", "--work", tmp_path / "work", "--shards", 2, *start]
    lines = run([*DRIVER, task, *words, "--dry-run"]).out.splitlines()
    programs = [line.split()[3 if line.startswith("$ python -m") else 2] for line in lines if line.startswith("$ py")]
    expected = [
        "preprocess/documents.py",
        *(["preprocess/wordpiece_vocabulary.py"] if "--from-scratch" in start else []),
    ]
    expected += ["preprocess/pieces.py"] * 3
    expected += ["preprocess/span_vocabulary.py"] if task == "pretrain-ernie-gen" else []
    assert programs == [*expected, "s2sft_fairseq.export_pretrained"]
    assert sum(line.startswith("$ fairseq-preprocess") for line in lines) == 2
    assert not list(tmp_path.iterdir())


def write_pages(folder: Path) -> Path:
    """The project's pages as plain text: a section is a document, a line of prose a line."""
    for page in PAGES:
        lines = ("" if line.startswith("#") else line for line in text(page).splitlines() if line.strip())
        write_lines(folder / f"{page.stem}.txt", lines)
    return folder


def write_pairs(folder: Path, raw: Path) -> None:
    """Each line of a page and the line after it, as pairs to fine-tune on."""
    lines = [line for line in (raw / "fine-tuning-methods.txt").read_text().splitlines() if line][:25]
    for split, first, last in (("train", 0, 20), ("valid", 18, 22), ("test", 20, 24)):
        write_lines(folder / f"{split}.src", lines[first:last])
        write_lines(folder / f"{split}.tgt", lines[first + 1 : last + 1])


def fine_tuned(encoder: Path, raw: Path, folder: Path, **options: object) -> Path:
    """Pairs of the pages, in the encoder's pieces; two updates on them; the folder with data and checkpoint."""
    write_pairs(folder / "pairs", raw)
    for name in ("train", "valid", "test"):
        texts, pieces = ([folder / kind / f"{name}.{side}" for side in ("src", "tgt")] for kind in ("pairs", "pieces"))
        run(["python", "preprocess/pieces.py", "--s2s-ft-vocab", encoder, "--inputs", *texts, "--outputs", *pieces])
    run(preprocess_command(folder / "pieces", folder / "bin", encoder))
    lengths = dict(max_source_positions=20, max_target_positions=12, max_update=2)
    run(train_command(folder / "bin", folder / "tuned", pretrained=encoder, **lengths, **options))
    return folder


SMALL = ["--updates", 3, "--batch", 8, "--positions", 32, "--cpu"]


@pytest.mark.slow
@pytest.mark.parametrize("task", OBJECTIVE)
@pytest.mark.long
def test_from_plain_text_to_generation(task: str, tmp_path: Path) -> None:
    """From random weights, in two runs of which the second goes on; then fine-tuned by the objective's method."""
    raw, shards = write_pages(tmp_path / "raw"), 2 if task == "pretrain-ernie-gen" else 1
    files = ["--raw", raw, "--work", tmp_path, "--from-scratch", "--arch", "s2s_ft_tiny", "--shards", shards]
    run([*DRIVER, task, *files, *SMALL, "--stage", "prepare"])
    done = run([*DRIVER, task, *files, *SMALL])
    assert done.out.count("already finished") == 1
    exported = tmp_path / "base" / "exported"
    assert done.out.splitlines()[-1].endswith(f"--pretrained {exported}")
    again = run([*DRIVER, task, *files, *SMALL])
    assert again.out.count("already finished") == len(STAGES)
    method = PRETRAINING[OBJECTIVE[task]].model_options["finetune_method"]
    tuned = fine_tuned(exported, raw, tmp_path / "tuning", finetune_method=method)
    checkpoint = tuned / "tuned" / "checkpoint_last.pt"
    assert len(best(run(generate_command(tuned / "bin", checkpoint, beam=1, max_len_b=5)).out)) == 4


@pytest.mark.slow
@pytest.mark.long
def test_an_encoder_is_trained_on(bert: Path, tmp_path: Path) -> None:
    """With its own vocabulary and sizes."""
    documents = (line for seed in range(8) for line in [*random_lines(5, seed=seed), ""])
    raw = write_lines(tmp_path / "text.txt", documents)
    run([*DRIVER, "pretrain-unilm", "--raw", raw, "--work", tmp_path, "--pretrained", bert, *SMALL])
    exported = tmp_path / "base" / "exported"
    assert (exported / "vocab.txt").read_text() == (bert / "vocab.txt").read_text()
    config = json.loads((exported / "config.json").read_text())
    assert (config["hidden_size"], config["type_vocab_size"]) == (32, 6)
