"""The recipes: every table is complete, every command parses, and the whole path runs on records as published."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import estimates
import numpy as np
import pytest
import text_families
import tiny_checkpoints
import torch
import yaml
from builders import PAD, objective, random_model, random_pairs
from commands import SPECIAL, WORDS, attempt, make_bert, run
from fairseq import options
from fairseq.data import data_utils
from pretraining_recipes import pretraining_tasks, pretrainings
from raw_formats import FORMATS
from raw_formats.records import Example
from raw_pairs import Packer, reference
from raw_records import publish
from recipes import EXAMPLES, Recipe, choose, recipes, tasks
from run import comparison
from stages import STAGES, Setting, schedule

from s2sft_fairseq import evaluate, generate
from s2sft_fairseq.objectives.packed_batch import PackedBatch
from s2sft_fairseq.objectives.slots import collate
from s2sft_fairseq.text import vocabulary

DRIVER = ["python", "examples/run.py"]
SYSTEMS = [recipe for task in tasks() for recipe in recipes(task)]
FIGURES = {
    "rouge": {"rouge_1", "rouge_2", "rouge_l", "rouge_lsum"},
    "qg": {"bleu_4", "meteor", "rouge_l"},
    "coqa": {"f1"},
    "dialogue": {"nist_4", "bleu_4", "meteor", "entropy_4", "distinct_1", "distinct_2", "length"}
    | {"persona_bleu_1", "persona_bleu_2"},
}
ENCODERS = {
    "cnndm": {"roberta-base", "roberta-large", "unilmv2-base", "unilmv2-large", "unilm-large", "ernie-gen-base"},
    "xsum": {"bert-base-uncased", "electra-base", "roberta-base", "roberta-large", "unilmv2-base", "unilmv2-large"},
    "gigaword": {"unilm-large", "ernie-gen-base", "ernie-gen-large", "ernie-gen-large-430g"},
    "gigaword-10k": {"unilm-large", "ernie-gen-base", "ernie-gen-large", "ernie-gen-large-430g"},
    "gigaword-fr": {"xlm-roberta-base", "xlm-roberta-large"},
    "gigaword-zh": {"xlm-roberta-base", "xlm-roberta-large"},
    "squad-qg": {"roberta-base", "unilmv2-base", "unilm-large", "ernie-gen-large"},
    "squad-qg-reversed": {"bert-base-uncased", "electra-base", "roberta-base", "unilmv2-large", "ernie-gen-base"},
    "webqa-qg": {"xlm-roberta-base", "xlm-roberta-large"},
    "cnndm-10k": {"ernie-gen-base", "ernie-gen-base-typical"},
    "coqa": {"unilm-large", "ernie-gen-large"},
    "dstc7": {"unilm-large"},
    "persona-chat": {"ernie-gen-large"},
}
"""Encoders of the papers' tables, task by task."""


def name_of(recipe: Recipe) -> str:
    return f"{recipe.task}-{recipe.name}"


def setting(recipe: Recipe, folder: Path, **options: object) -> Setting:
    return Setting(recipe, folder / "raw", folder / "model", folder / "work", **options)  # type: ignore[arg-type]


def test_every_task_has_its_encoders_a_text_and_a_script() -> None:
    assert set(tasks()) == set(ENCODERS)
    for task, encoders in ENCODERS.items():
        assert encoders <= {recipe.encoder for recipe in recipes(task)}
        assert (EXAMPLES / task / "README.md").is_file()
        script = (EXAMPLES / task / "run.sh").read_text(encoding="utf-8").splitlines()[-1]
        assert script == f'exec python "$(dirname "${{BASH_SOURCE[0]}}")/../run.py" {task} "$@"'


def test_systems_can_be_told_apart() -> None:
    assert len({name_of(recipe) for recipe in SYSTEMS}) == len(SYSTEMS)


@pytest.mark.parametrize("recipe", SYSTEMS, ids=name_of)
def test_table_is_complete(recipe: Recipe) -> None:
    lengths = {"max-source-positions", "max-target-positions"}
    assert {"lr", "label-smoothing", "adam-betas", "adam-eps", "weight-decay", "dropout", *lengths} <= set(recipe.train)
    assert set(recipe.schedule) == {"epochs", "batch", "warmup"}
    assert {"beam", "max-len-b", "length-penalty-type"} <= set(recipe.generate)
    assert int(recipe.generate["max-len-b"]) < int(recipe.train["max-target-positions"])
    assert recipe.raw["format"] in FORMATS
    assert set(recipe.expected) <= FIGURES[recipe.evaluate["metric"]]
    assert recipe.expected
    assert "Table" in recipe.where
    papers = yaml.safe_load((EXAMPLES / "papers.yaml").read_text())
    assert "arXiv" in papers[recipe.paper]["title"]
    if recipe.method == "infilling":
        assert "noise-prob" in recipe.train


@pytest.mark.parametrize("recipe", SYSTEMS, ids=name_of)
def test_fairseq_train_understands_the_settings(recipe: Recipe, tmp_path: Path) -> None:
    (words,) = STAGES["train"](setting(recipe, tmp_path))
    parsed = options.parse_args_and_arch(options.get_training_parser(), words[1:])
    assert parsed.finetune_method == recipe.method
    assert parsed.batch_size * parsed.update_freq[0] == recipe.schedule["batch"]
    assert int(parsed.total_num_update) == parsed.max_update > 0


@pytest.mark.parametrize("recipe", SYSTEMS, ids=name_of)
def test_generate_understands_the_settings(recipe: Recipe, tmp_path: Path) -> None:
    (words,) = STAGES["generate"](setting(recipe, tmp_path))
    parsed = generate.arguments(words[3:])
    assert (parsed.beam, parsed.max_len_b) == (recipe.generate["beam"], recipe.generate["max-len-b"])


@pytest.mark.parametrize("recipe", SYSTEMS, ids=name_of)
def test_evaluate_understands_the_settings(recipe: Recipe, tmp_path: Path) -> None:
    (words,) = STAGES["evaluate"](setting(recipe, tmp_path))
    metric = evaluate.chosen_metric(words[3:])
    assert metric is not None
    parsed = evaluate.parser(metric).parse_args(words[3:])
    assert parsed.postprocess == recipe.evaluate.get("postprocess", [])


def test_schedule_counts_updates_and_warmup(tmp_path: Path) -> None:
    recipe = choose("squad-qg", paper="unilmv2")
    steps = schedule(setting(recipe, tmp_path, gpu_batch=20))
    updates = 16 * -(-76000 // 48)
    assert steps["batch-size"] * steps["update-freq"] == 48
    assert (steps["total-num-update"], steps["warmup-updates"]) == (updates, round(0.1 * updates))


def test_what_no_paper_has_ends_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="dstc7 has no system with --encoder x; expected one of"):
        choose("dstc7", encoder="x")


def test_figures_stand_beside_the_published_ones(tmp_path: Path) -> None:
    recipe = choose("xsum", variant="dev")
    shown = comparison(setting(recipe, tmp_path), {"rouge_1": {"value": 40.5}})
    _, title, _, first, second, *_ = lines = shown.splitlines()
    assert "valid split" in title and "Table 2" in title
    assert (first.split(), second.split()) == (["rouge_1", "41.040", "40.500"], ["rouge_2", "18.690", "not", "scored"])
    shorter = comparison(setting(recipe, tmp_path, limit=64, epochs=1), {"rouge_1": {"value": 40.5}})
    assert shorter.splitlines() == [*lines, "not comparable: --limit 64, --epochs 1"]


@pytest.mark.parametrize("task", tasks())
def test_dry_run_shows_the_commands_and_writes_nothing(task: str, tmp_path: Path) -> None:
    words = ["--raw", tmp_path / "raw", "--pretrained", tmp_path / "model", "--work", tmp_path / "work"]
    lines = run([*DRIVER, task, *words, "--dry-run"]).out.splitlines()
    commands = " ".join(line for line in lines if line.startswith("$ "))
    programs = [
        "raw_pairs.py",
        "pieces.py",
        "fairseq-preprocess",
        "fairseq-train",
        "fairseq.generate",
        "fairseq.evaluate",
    ]
    places = [commands.index(program) for program in programs]
    assert places == sorted(places)
    assert not list(tmp_path.iterdir())


def test_a_reader_that_has_seen_enough_ends_the_program_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "examples/run.py", "xsum", "--list"],
        cwd=EXAMPLES.parent,
        stdout=writer,
        check=False,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    assert done.returncode and not done.stderr


def drive(task: str, folder: Path, encoder: Path, *more: object) -> List[object]:
    files = ["--raw", folder / "raw", "--pretrained", encoder, "--work", folder / "work"]
    return [*DRIVER, task, *files, "--limit", 8, "--epochs", 1, "--cpu", *more]


def test_estimates_stand_in_the_readme() -> None:
    lines = (EXAMPLES / "README.md").read_text(encoding="utf-8").splitlines()
    expected = [*estimates.table([*SYSTEMS, *(one for task in pretraining_tasks() for one in pretrainings(task))])]
    assert set(expected) <= set(lines)
    assert sum(line.startswith("| ") and line.count("|") == 7 for line in lines) == len(expected) - 1


def test_estimates_grow_with_what_they_are_made_of() -> None:
    base, large = choose("xsum", encoder="roberta-base"), choose("xsum", encoder="roberta-large")
    one, other = estimates.estimate(base), estimates.estimate(large)
    assert all(less < more for less, more in zip(one, other))
    assert estimates.estimate(base, flops=2 * estimates.H200).hours == pytest.approx(one.hours / 2)
    # 12 layers × 12 H² and the table: RoBERTa-base has 125 M weights
    assert estimates.encoder_of(base).weights == pytest.approx(125e6, rel=0.01)
    # twice the operations for each weight and slot, three times for both passes: the rest is attention
    slots = 720 + 2 * 48
    layers = 6 * slots * 12 * 12 * 768**2 * 204_000 * 15 / 1e18
    assert layers < one.exaflops < 1.4 * layers


@pytest.mark.parametrize("method", ["causal", "pseudo_masked"])
def test_a_training_step_keeps_as_much_as_is_estimated(method: str) -> None:
    """The tensors that are saved for the backward pass, counted, with examples of all lengths in the batch."""
    sizes = {"encoder_layers": 10, "encoder_embed_dim": 128, "encoder_ffn_embed_dim": 512}
    model = random_model(method, dtype=torch.float32, dropout=0.1, attention_dropout=0.0, **sizes).train()
    laid_out_by, rng = objective(method), np.random.default_rng(0)
    pairs = random_pairs(laid_out_by.layout, count=4, seed=0, longest=36)
    blocks = collate([laid_out_by.train(*pair, rng) for pair in pairs], pad=PAD)
    packed = PackedBatch(blocks.packed(), blocks.source.token.size(1))
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: Dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        held = model(packed=packed, label_smoothing=0.1)
    slots = int(packed.slots.token.ne(PAD).sum())
    numbers = sum(kept.values()) / 4 / (slots * sizes["encoder_layers"] * sizes["encoder_embed_dim"])
    assert held and numbers == pytest.approx(estimates.ACTIVATIONS, rel=0.1)


def test_knowledge_stands_first_even_if_there_is_none() -> None:
    """Of a grounded dialogue the first separator ends the knowledge; elsewhere an empty part leaves none."""
    plain, grounded = (Packer(None, None, layout=layout) for layout in ("plain", "grounded_dialogue"))
    known = Example("a story", "yes", turns=("hi", "well ?"), text_last=True)
    for example, expected, in_parts in (
        (known, "hi [SEP] well ? [SEP] a story", "a story [SEP] hi [SEP] well ?"),
        (known._replace(text=""), "hi [SEP] well ?", "[SEP] hi [SEP] well ?"),
    ):
        assert (plain.source(example), grounded.source(example)) == (expected, in_parts)


def test_unknown_words_become_the_model_s_own_token_but_in_references() -> None:
    packer, example = Packer(None, None, unknown=["<unk>", "UNK"]), Example("a UNK , <unk>", "UNKs UNK")
    assert packer.pair(example) == ("a [UNK] , [UNK]", "UNKs [UNK]")
    assert reference(example) == "UNKs UNK"


def in_this_process(words: List[str]) -> None:
    """Calls what a command's start-up script calls; a process of its own would import fairseq each time."""
    name = Path(words[1]).stem if words[0] == "python" else "fairseq_cli.preprocess"
    sys.argv = words[1:] if words[0] == "python" else words
    module = importlib.import_module(name)
    getattr(module, "main" if words[0] == "python" else "cli_main")()


def ids_of(data: Path, side: str) -> List[List[int]]:
    """What fairseq-train reads of the test split."""
    dataset = data_utils.load_indexed_dataset(str(data / f"test.src-tgt.{side}"), None)
    return [dataset[number].tolist() for number in range(len(dataset))]


VOCABULARIES: Dict[str, Tuple[Callable[[Path], object], str, str, str]] = {
    "byte BPE": (text_families.roberta, "cnndm", "s2s-ft", "</s>"),
    "SentencePiece": (text_families.xlmr, "webqa-qg", "s2s-ft", "</s>"),
    "UniLMv2": (tiny_checkpoints.unilmv2, "cnndm", "unilmv2", "[SEP]"),
    "ERNIE": (tiny_checkpoints.ernie, "coqa", "ernie-gen", "[SEP]"),
    "ERNIE-GEN": (tiny_checkpoints.ernie_gen, "persona-chat", "ernie-gen", "[SEP]"),
}
"""How to make the text side of an encoder, a task and a paper that may take it, and the token between parts."""


@pytest.mark.parametrize("name", sorted(VOCABULARIES))
def test_prepare_and_binarize_with_every_vocabulary(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ids in the data are the rows of the encoder's vocabulary, with what the task adds behind them."""
    make, task, paper, separator = VOCABULARIES[name]
    recipe = choose(task, paper=paper)
    run_of = setting(recipe, tmp_path)
    make(run_of.pretrained)
    publish(str(recipe.raw["format"]), run_of.raw)
    monkeypatch.chdir(EXAMPLES.parent)
    monkeypatch.setattr(sys, "argv", [])
    for words in (*STAGES["prepare"](run_of), *STAGES["binarize"](run_of)):
        in_this_process(words)
    tokens = vocabulary.read(run_of.pretrained, add=run_of.added.get("vocab-add"))
    row = {token: number for number, token in enumerate(tokens)}
    for side in ("src", "tgt"):
        lines = (run_of.work / "pieces" / f"test.{side}").read_text(encoding="utf-8").splitlines()
        assert ids_of(run_of.work / "data-bin", side) == [
            [row[piece] for piece in [*line.split(), separator]] for line in lines
        ]
        assert len(lines) == 4
    sources = (run_of.work / "pieces" / "test.src").read_text(encoding="utf-8")
    assert (separator in sources) == (task != "cnndm")
    assert all(token in tokens for token in recipe.raw.get("tokens", ()))
    targets = (run_of.work / "pieces" / "test.tgt").read_text(encoding="utf-8")
    assert ("[X_SEP]" in targets.split()) == (task == "cnndm")


def spoil_story(raw: Path) -> None:
    next(raw.rglob("*.story")).write_text("An article alone\n")


def spoil_answer(raw: Path) -> None:
    path = raw / "coqa-train-v1.0.json"
    content = json.loads(path.read_text())
    del content["data"][0]["answers"][1]["input_text"]
    path.write_text(json.dumps(content))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "paper", "spoil"), [("cnndm", "s2s-ft", spoil_story), ("coqa", "ernie-gen", spoil_answer)]
)
def test_from_published_records_to_figures(
    task: str, paper: str, spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    """All stages, with a malformed record; again, when all is done; and with other options."""
    recipe = choose(task, paper=paper)
    spoil(publish(str(recipe.raw["format"]), tmp_path / "raw"))
    encoder = make_bert(tmp_path / "encoder", (*SPECIAL, *WORDS, "."))  # a full stop may repeat, and has to be known
    command = drive(task, tmp_path, encoder, "--paper", paper)
    first = run(command)
    assert sum(map(int, re.findall(r"left out: (\d+)", first.out))) == 1
    published = first.out[first.out.rindex("published") :]
    assert all(f"{value:.3f}" in published for value in recipe.expected.values())
    assert (tmp_path / "work" / recipe.name / "figures.json").is_file()
    again = run(command).out
    assert again.count("already finished") == len(STAGES)
    assert published in again
    other = attempt([*command, "--strict"])
    assert other.status
    assert "was made with other options" in other.err


@pytest.mark.slow
def test_interrupted_stages_begin_anew_and_failures_end_the_driver(bert: Path, tmp_path: Path) -> None:
    raw = publish("columns", tmp_path / "raw", form=1)
    stage = drive("gigaword-fr", tmp_path, bert, "--stage")
    run([*stage, "prepare"])
    work = tmp_path / "work" / recipes("gigaword-fr")[0].name
    (work / "data-bin").mkdir()
    (work / "data-bin" / "dict.src.txt").write_text("left by an interrupted run")
    run([*stage, "binarize"])
    assert (work / "data-bin" / "train.src-tgt.src.bin").is_file()
    (raw / "test.tsv").write_text("malformed\n")
    failed = attempt([*drive("gigaword-fr", tmp_path / "second", bert, "--stage", "prepare"), "--raw", raw, "--strict"])
    assert failed.status
    assert "test.tsv, line 1" in failed.err
    assert "this command failed with status" in failed.err
