"""Pre-training by its commands: input that cannot be, two processes, and how the result flows on."""

from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from commands import (
    SPECIAL,
    WORDS,
    assert_equal_weights,
    best,
    generate_command,
    mistake,
    random_lines,
    run,
    torchrun,
    train_command,
    weights,
    write_lines,
)
from fairseq import checkpoint_utils
from methods import METHODS
from transformers import BertForPreTraining

from s2sft_fairseq.objectives.slots import IGNORE

TASK = ["--user-dir", "s2sft_fairseq", "--task", "s2s_pretraining"]
OBJECTIVES = ("unilm", "pmlm", "ernie_gen")
TWO_DOCUMENTS = [*random_lines(20, seed=1), "", *random_lines(20, seed=2)]


def binarize(folder: Path, lines: List[str], vocabulary: Path) -> List[object]:
    """fairseq-preprocess of a text, to train on and to validate on."""
    text = write_lines(folder / "text", lines)
    files = ["--trainpref", text, "--validpref", text, "--destdir", folder / "bin"]
    return ["fairseq-preprocess", *TASK, "--only-source", "--srcdict", vocabulary, *files]


def pretrain(data: object, save: Path, **options: object) -> List[object]:
    """fairseq-train on text, of little length; ``train_command`` names the task of fine-tuning first."""
    return train_command(Path(str(data)), save, **{**LENGTHS, **options})


LENGTHS: Dict[str, Any] = dict(task="s2s_pretraining", max_source_positions=22, max_update=2)


@pytest.fixture(scope="module")
def text(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Binarized text of two documents."""
    folder = tmp_path_factory.mktemp("text")
    run(binarize(folder, TWO_DOCUMENTS, bert))
    return folder / "bin"


@pytest.mark.slow
class TestBadInput:
    def test_one_document_alone_has_no_other(self, bert: Path, tmp_path: Path) -> None:
        """With next-sentence prediction; without it, one will do, even if its only line is longer than a text."""
        run(binarize(tmp_path, [" ".join(WORDS * 3)], bert))
        options = dict(pretrained=bert, objective="unilm")
        said = mistake(pretrain(tmp_path / "bin", tmp_path / "save", **options))
        assert "bin: split 'valid' has only one document" in said and "or add --no-nsp" in said
        done = run(pretrain(tmp_path / "bin", tmp_path / "save", no_nsp=True, **options))
        assert "train: 7 texts of up to 19 tokens out of 1 lines" in done.out + done.err

    def test_an_empty_shard_is_found_before_training(self, text: Path, bert: Path, tmp_path: Path) -> None:
        """Though its turn would come in the second epoch."""
        run(binarize(tmp_path, ["", ""], bert))
        for objective in OBJECTIVES:
            command = pretrain(f"{text}:{tmp_path / 'bin'}", tmp_path / "save", pretrained=bert, objective=objective)
            assert f"{tmp_path / 'bin'}: split 'train' has no text; expected lines" in mistake(command)

    def test_a_vocabulary_without_a_mask(self, tmp_path: Path) -> None:
        vocabulary = write_lines(tmp_path / "vocab.txt", [token for token in (*SPECIAL, *WORDS) if token != "[MASK]"])
        said = mistake(binarize(tmp_path, TWO_DOCUMENTS, vocabulary))
        assert "the vocabulary has 45 tokens but no [MASK]; expected all of" in said
        pieces = ["--s2s-ft-vocab", vocabulary, "--inputs", tmp_path / "text", "--outputs", tmp_path / "pieces"]
        run(["python", "preprocess/pieces.py", *pieces])

    @pytest.mark.parametrize(
        ("objective", "positions", "least"), [("unilm", 7, 8), ("pmlm", 0, 8), ("ernie_gen", 8, 9)]
    )
    def test_too_few_positions(self, objective: str, positions: int, least: int, text: Path, tmp_path: Path) -> None:
        options = dict(arch="s2s_ft_tiny", objective=objective, batch_size=2)
        said = mistake(pretrain(text, tmp_path / "save", text_positions=positions, **options))
        assert f"--text-positions is {positions}; expected at least {least}, room for a text" in said
        said = mistake(pretrain(text, tmp_path / "save", **{**options, "max_source_positions": positions}))
        assert f"--max-source-positions is {positions}; expected at least {least}" in said
        run(pretrain(text, tmp_path / "save", text_positions=least, **options))


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.long
def test_two_processes_equal_one_with_twice_the_batch(objective: str, text: Path, bert: Path, tmp_path: Path) -> None:
    """Gradients of all losses are summed over both ranks."""
    options = dict(
        **{**LENGTHS, "max_update": 3},
        **dict(pretrained=bert, objective=objective, dropout=0, attention_dropout=0, optimizer="sgd", lr="0.1"),
        batch_size=2,
    )
    run(torchrun(text, tmp_path / "two", **options))
    run(train_command(text, tmp_path / "one", update_freq=2, **options))
    two, one = (weights(tmp_path / name / "checkpoint_last.pt") for name in ("two", "one"))
    for name, tensor in one.items():
        assert tensor.allclose(two[name], atol=1e-6), name


def assert_reads_alike(checkpoint: Path, exported: Path) -> None:
    """The first validation text, of the bidirectional LM, under our model and that of transformers."""
    (model,), _, task = checkpoint_utils.load_model_ensemble_and_task([str(checkpoint)])
    model.eval()
    task.load_dataset("valid")
    data = task.dataset("valid")
    packed = data.collater([data[0]])["packed"]
    theirs = BertForPreTraining.from_pretrained(exported, attn_implementation="eager").eval()
    slots = packed.slots
    with torch.no_grad():
        expected = theirs(input_ids=slots.token, token_type_ids=slots.segment)
        logits, *_ = model(packed=packed)
        pair_logits = model(packed=packed, label_smoothing=0.0)[2]
    assert packed.unrelated.ne(IGNORE).all()
    torch.testing.assert_close(logits, expected.prediction_logits[slots.label.ne(IGNORE)], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(pair_logits, expected.seq_relationship_logits, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.long
def test_pretrained_exported_fine_tuned_by_every_method(
    objective: str, text: Path, bert: Path, data: Path, tmp_path: Path
) -> None:
    relative = {"relative_buckets": 32} if objective == "pmlm" else {}
    run(pretrain(text, tmp_path / "pretrained", pretrained=bert, objective=objective, **relative))
    checkpoint, exported = tmp_path / "pretrained" / "checkpoint_last.pt", tmp_path / "exported"
    run(["python", "-m", "s2sft_fairseq.export_pretrained", "--checkpoint", checkpoint, "--to", exported])
    if objective == "unilm":
        assert_reads_alike(checkpoint, exported)
    for method in METHODS:
        save = tmp_path / method
        run(train_command(data, save, pretrained=exported, finetune_method=method, max_update=2))
        generated = run(generate_command(data, save / "checkpoint_last.pt", beam=2, max_len_b=4)).out
        assert len(best(generated)) == 100


@pytest.mark.slow
def test_random_weights_with_a_method_that_adds_tokens_flow_on(text: Path, bert: Path, tmp_path: Path) -> None:
    """The tokens are in the export, so that all that was learned of them is read again."""
    options = dict(arch="s2s_ft_tiny", objective="ernie_gen")
    run(pretrain(text, tmp_path / "first", **options))
    checkpoint, exported = tmp_path / "first" / "checkpoint_last.pt", tmp_path / "exported"
    export = ["python", "-m", "s2sft_fairseq.export_pretrained", "--checkpoint", checkpoint, "--to", exported]
    run([*export, "--vocab", bert])
    assert (exported / "added_tokens.json").is_file()
    options = dict(pretrained=exported, objective="ernie_gen", lr="0", optimizer="sgd", max_update=1)
    run(pretrain(text, tmp_path / "again", **options))
    assert_equal_weights(tmp_path / "first", tmp_path / "again")
