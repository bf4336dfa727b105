"""A new model in one pass: what the plan decides, and that it changes nothing of what it is given."""

from collections import Counter
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from commands import SPECIAL, WORDS, make_bert
from fairseq.models import build_model
from fairseq.tasks import FairseqTask
from omegaconf import OmegaConf

from s2sft_fairseq import S2SModel, import_pretrained
from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.models.options import ModelOptions
from s2sft_fairseq.objectives.finetuning import OBJECTIVES
from s2sft_fairseq.text import checkpoint_vocabulary, vocabulary
from s2sft_fairseq.text.dictionary import PretrainedDictionary
from s2sft_fairseq.training import new_model
from s2sft_fairseq.training.finetuning_options import TaskOptions
from s2sft_fairseq.training.finetuning_task import S2SFTTask
from s2sft_fairseq.training.new_model import NewModel

TOKENS = [*SPECIAL, *WORDS]
POSITIONS = {"max_source_positions": 12, "max_target_positions": 10}


def planned(cfg: Any, tokens: List[str] = TOKENS, *, is_trained: bool = False) -> NewModel:
    return new_model.plan(cfg, PretrainedDictionary(tokens), is_trained=is_trained, last_checkpoint=None)


def options(**given: Any) -> Any:
    """The options of a model, as fairseq hands them to the task."""
    return OmegaConf.create(
        OmegaConf.to_container(OmegaConf.structured(ModelOptions(**POSITIONS, **given)), enum_to_str=True)
    )


@pytest.mark.parametrize("method", sorted(OBJECTIVES))
def test_a_plan_changes_nothing(bert: Path, method: str) -> None:
    cfg, dictionary = options(pretrained=str(bert), finetune_method=method), PretrainedDictionary(TOKENS)
    before = OmegaConf.to_yaml(cfg)
    plan = new_model.plan(cfg, dictionary, is_trained=False, last_checkpoint=None)
    assert OmegaConf.to_yaml(cfg) == before and dictionary.symbols == TOKENS
    added = [token for token in OBJECTIVES[method].extra_tokens if token not in TOKENS]
    assert plan.dictionary.symbols == [*TOKENS, *added] and list(plan.fresh_tokens) == added
    assert (plan.options.encoder_embed_dim, plan.options.added_tokens) == (32, " ".join(added))
    with pytest.raises(FrozenInstanceError):
        plan.options = cfg


def test_a_trained_model_is_planned_as_it_was(bert: Path) -> None:
    """From the options that its checkpoint stores, without the pretrained directory."""
    first = planned(options(pretrained=str(bert), finetune_method="infilling", type_vocab_size=3))
    again = planned(OmegaConf.create({**first.options, "pretrained": "gone"}), is_trained=True)
    assert (again.shape, again.layout) == (first.shape, first.layout)
    assert again.pretrained is None and again.task_state == {}


def test_options_that_are_newer_than_a_checkpoint_have_their_defaults(bert: Path) -> None:
    stored = dict(planned(options(pretrained=str(bert))).options)
    for name in ("source_layout", "lora_rank", "save_adapter_only", "turn_rows"):
        del stored[name]
    plan = planned(OmegaConf.create(stored), is_trained=True)
    assert (plan.options.source_layout, plan.options.lora_rank, plan.options.turn_rows) == ("plain", 0, 0)


def test_another_vocabulary_than_that_of_the_training(bert: Path) -> None:
    stored = planned(options(pretrained=str(bert))).options
    with pytest.raises(UserError, match="but the model was trained with"):
        planned(stored, [*TOKENS[:-1], "other"], is_trained=True)


def test_checkpoints_carry_the_files_of_the_vocabulary(bert: Path) -> None:
    carried = planned(options(pretrained=str(bert))).task_state[checkpoint_vocabulary.KEY]
    assert set(carried) == {"dict.txt", "vocab.txt"}
    assert set(planned(options()).task_state[checkpoint_vocabulary.KEY]) == {"dict.txt"}


def test_a_checkpoint_of_another_architecture() -> None:
    task = S2SFTTask(TaskOptions(), PretrainedDictionary(TOKENS))
    with pytest.raises(UserError, match="holds a model of --arch transformer_lm; expected one of --arch s2s_ft"):
        task.build_model(OmegaConf.create({"_name": "transformer_lm"}), from_checkpoint=True)


def test_another_task() -> None:
    with pytest.raises(UserError, match="--arch s2s_ft needs --task s2s_ft or s2s_pretraining, found FairseqTask"):
        build_model(OmegaConf.structured(ModelOptions(_name="s2s_ft")), FairseqTask(None))


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dict[str, int]]:
    """How often each vocabulary file has been parsed, by its path."""
    counts: Dict[str, int] = Counter()
    reader_of = vocabulary.reader_of

    def counted(file: Path) -> Any:
        counts[str(file)] += 1
        return reader_of(file)

    monkeypatch.setattr(vocabulary, "reader_of", counted)
    yield counts


def test_a_vocabulary_file_is_parsed_once_in_a_command(tmp_path: Path, parsed: Dict[str, int]) -> None:
    bert, imported = make_bert(tmp_path / "bert"), tmp_path / "imported"
    import_pretrained.main(["--from", str(bert), "--to", str(imported), "--finetune-method", "infilling"])
    assert parsed == {str(bert / "vocab.txt"): 1}
    parsed.clear()
    model = S2SModel.from_pretrained(str(imported / "model.pt"))
    assert model.generate(["w1 w2"], max_len_b=3)
    assert parsed and set(parsed.values()) == {1}


def test_a_file_that_changes_is_parsed_again(tmp_path: Path, parsed: Dict[str, int]) -> None:
    file = tmp_path / "vocab.txt"
    for tokens in (TOKENS, TOKENS[:-1], TOKENS):
        file.write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
        assert vocabulary.read(file) == tokens == vocabulary.read(tmp_path)
    assert parsed == {str(file): 3}
