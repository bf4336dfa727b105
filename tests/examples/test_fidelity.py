"""The recipes against the papers and their authors' code: what decays, what may repeat, lengths, epochs and noise."""

from pathlib import Path
from typing import Dict, List, Optional, Tuple

import pytest
from fairseq import options
from recipes import Recipe, choose, recipes, tasks
from stages import STAGES, Setting

from s2sft_fairseq.common.registered_options import check_declared
from s2sft_fairseq.objectives.finetuning import OBJECTIVES
from s2sft_fairseq.objectives.source_layouts import LAYOUTS, TableSizes

SYSTEMS = [recipe for task in tasks() for recipe in recipes(task)]
BLOCKING: Dict[Tuple[str, str], str] = {
    ("cnndm", "s2s-ft"): ".",
    ("cnndm", "unilmv2"): ".",
    ("cnndm", "unilm"): ". [X_SEP]",
    ("xsum", "s2s-ft"): ".",
    ("xsum", "unilmv2"): ".",
    ("gigaword", "unilm"): ".",
    ("gigaword-10k", "unilm"): ".",
}
"""The recipes that block trigrams, and what does not count in them; no other published command blocks."""

LONGEST: Dict[str, Dict[str, int]] = {
    "cnndm": {"s2s-ft": 160, "unilmv2": 160, "unilm": 128, "ernie-gen": 128},
    "cnndm-10k": {"ernie-gen": 128},
    "xsum": {"s2s-ft": 48, "unilmv2": 48},
    "gigaword": {"unilm": 32, "ernie-gen": 32},
    "gigaword-10k": {"unilm": 32, "ernie-gen": 32},
    "gigaword-fr": {"s2s-ft": 48},
    "gigaword-zh": {"s2s-ft": 48},
    "squad-qg": {"s2s-ft": 32, "unilmv2": 48, "unilm": 48, "ernie-gen": 48},
    "squad-qg-reversed": {"s2s-ft": 32, "unilmv2": 48, "unilm": 48, "ernie-gen": 48},
    "webqa-qg": {"s2s-ft": 32},
    "coqa": {"unilm": 42, "ernie-gen": 30},
    "dstc7": {"unilm": 40},
    "persona-chat": {"ernie-gen": 32},
}
"""The longest output of each task and paper, which counts the end token."""


def name_of(recipe: Recipe) -> str:
    return f"{recipe.task}-{recipe.name}"


def words_of(stage: str, recipe: Recipe, **given: object) -> List[str]:
    """The one command of a stage."""
    places = (Path(name) for name in ("raw", "model", "work"))
    (words,) = STAGES[stage](Setting(recipe, *places, **given))  # type: ignore[arg-type]
    return words


@pytest.mark.parametrize("recipe", SYSTEMS, ids=name_of)
def test_biases_and_norms_do_not_decay(recipe: Recipe) -> None:
    """On a GPU too, where --fp16 would join all parameters into one."""
    for cpu in (True, False):
        parsed = options.parse_args_and_arch(options.get_training_parser(), words_of("train", recipe, cpu=cpu)[1:])
        check_declared(parsed, recipe.method, OBJECTIVES, "--finetune-method")
        assert (parsed.optimizer, parsed.weight_decay) == ("s2s_ft_adamw", 0.01)
        assert parsed.fp16_no_flatten_grads == parsed.fp16 == (not cpu)


@pytest.mark.parametrize("recipe", SYSTEMS, ids=name_of)
def test_blocks_what_the_published_command_blocks(recipe: Recipe) -> None:
    ignored: Optional[str] = BLOCKING.get((recipe.task, recipe.paper))
    assert recipe.generate.get("no-repeat-ngram-size") == (3 if ignored else None)
    assert recipe.generate.get("no-repeat-ngram-ignore") == ignored


@pytest.mark.parametrize("recipe", SYSTEMS, ids=name_of)
def test_one_rule_for_the_longest_output(recipe: Recipe) -> None:
    """A published length counts the end token, --max-len-b does not; so does --max-target-positions."""
    longest = LONGEST[recipe.task][recipe.paper]
    words = words_of("generate", recipe)
    assert int(words[words.index("--max-len-b") + 1]) == longest - 1
    assert longest <= int(recipe.train["max-target-positions"])
    assert not any("max-output" in word for word in words)


@pytest.mark.parametrize(("task", "probability", "epochs"), [("cnndm", 0.7, 10), ("xsum", 0.4, 15)])
def test_s2s_ft_trains_as_its_authors_readme(task: str, probability: float, epochs: int) -> None:
    """45,000 and 48,000 updates of 64 examples."""
    found = [recipe for recipe in recipes(task) if recipe.paper == "s2s-ft"]
    assert {recipe.train["target-mask-prob"] for recipe in found} == {probability}
    assert {recipe.schedule["epochs"] for recipe in found} == {epochs}
    assert epochs * found[0].train_examples / 64 == pytest.approx({10: 45_000, 15: 48_000}[epochs], rel=0.005)


def test_tables_7_and_8_of_ernie_gen() -> None:
    """Four encoders, fine-tuned with noise and by masks; typical generation, and infilling without noise."""
    for task in ("gigaword-10k", "cnndm-10k", "squad-qg-reversed"):
        found = [recipe for recipe in recipes(task) if recipe.encoder.startswith("ernie-gen-base")]
        kinds = [(recipe.encoder.removeprefix("ernie-gen-base"), recipe.method, recipe.variant) for recipe in found]
        trained = ["", "-without-noise", "-without-spans", "-without-both"]
        assert sorted(kinds) == sorted(
            [
                *((name, method, "") for name in trained for method in ("infilling", "masked")),
                ("-without-both", "infilling", "no-noise"),
                ("-typical", "causal", "no-noise"),
                ("-typical", "causal", ""),
            ]
        )
        for recipe in found:
            noise = recipe.train.get("noise-prob") if recipe.method == "infilling" else recipe.train["target-mask-prob"]
            assert (noise == 0) == (recipe.variant == "no-noise")


def test_every_figure_of_a_table_is_another() -> None:
    """No row was copied twice."""
    for task in ("gigaword-10k", "cnndm-10k", "squad-qg-reversed"):
        figures = [tuple(recipe.expected.values()) for recipe in recipes(task) if recipe.paper == "ernie-gen"]
        assert len(set(figures)) == len(figures)


def test_grid_of_s2s_ft() -> None:
    """Table 7 and appendix A of 000."""
    base, large = (choose("xsum", encoder=f"roberta-{size}").grid for size in ("base", "large"))
    shared = {"epochs": [10, 15, 20, 30], "target-mask-prob": [0.4, 0.5, 0.6, 0.7]}
    assert base == {"lr": ["5e-5", "7e-5", "1e-4"], **shared}
    assert large == {"lr": ["1e-5", "1.5e-5", "2e-5", "3e-5"], **shared}
    assert not choose("cnndm", paper="unilm").grid


@pytest.mark.parametrize("recipe", [r for r in SYSTEMS if "source-layout" in r.train], ids=name_of)
def test_layouts_run_with_any_encoder(recipe: Recipe) -> None:
    """The tables that a recipe asks for are large enough, whatever the encoder brings along."""
    settings = {**{"source-type-id": 0, "turn-rows": 0}, **recipe.train}
    segments = LAYOUTS[settings["source-layout"]](source=settings["source-type-id"], target=settings["target-type-id"])
    segments.check(TableSizes(segments=settings["type-vocab-size"], turns=settings["turn-rows"]))
