"""What version 0.1.0 wrote before the package was divided into wings: a checkpoint, and binarized data.

``tests/fixtures/version_0_1_0/README.md`` says how they were made. The checkpoint is of a random encoder of one layer
and 18 tokens, after 30 updates; the figures below are those that the earlier version gave.
"""

import re
import shutil
from pathlib import Path
from typing import Iterator

import pytest
import safetensors.torch
import torch
from commands import ROOT, generate_command, hypotheses, run, train_command, weights

from s2sft_fairseq import S2SModel, export_pretrained

FIXTURE = ROOT / "tests" / "fixtures" / "version_0_1_0"
CHECKPOINT = FIXTURE / "checkpoint.pt"
SEARCH = {"beam": 3, "max_len_b": 9}

TRAINING = {
    "label_smoothing": "0.1",
    "lr": "1e-2",
    "finetune_method": "pseudo_masked",
    "pretrained": "bert",
    "num_workers": 0,
    "no_epoch_checkpoints": True,
}
"""The options of the run that wrote the checkpoint, beside those that the tests' command has anyway."""


def expected_hypotheses() -> Iterator[str]:
    """The H- lines of the earlier version's fairseq-generate."""
    yield from (FIXTURE / "hypotheses.txt").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def model() -> S2SModel:
    return S2SModel.from_pretrained(str(CHECKPOINT))


def test_it_generates_the_same_lines(model: S2SModel) -> None:
    sources = (FIXTURE / "test.src").read_text(encoding="utf-8").splitlines()
    found = [best.text for (best,) in model.hypotheses(sources, nbest=1, **SEARCH)]
    assert found == [line.split("\t")[2] for line in expected_hypotheses()]


def test_the_plan_of_its_model(model: S2SModel) -> None:
    """Its options are all that shapes it, and the vocabulary is the one that it carries."""
    assert (len(model.task.dictionary), model.models[0].cfg.vocabulary) == (18, model.task.dictionary.fingerprint())
    assert model.models[0].cfg.finetune_method == "pseudo_masked"


@pytest.mark.slow
def test_data_of_then_and_scores_of_then() -> None:
    found = hypotheses(run(generate_command(FIXTURE / "data-bin", CHECKPOINT, **SEARCH), fork=False).out)
    for line in expected_hypotheses():
        number, score, text = line.split("\t")
        (best,) = found[int(number[2:])]
        assert best.text == text and best.score == pytest.approx(float(score), abs=1e-5)


@pytest.mark.slow
def test_training_goes_on(tmp_path: Path) -> None:
    """As it went on then, without the pretrained directory, whose weights the checkpoint holds."""
    shutil.copy(CHECKPOINT, tmp_path / "checkpoint_last.pt")
    done = run(train_command(FIXTURE / "data-bin", tmp_path, max_update=36, **TRAINING))
    losses = re.findall(r"\| train \| epoch 012 \| loss (\S+) \| nll_loss (\S+)", done.out + done.err)
    ((loss, nll),) = losses
    assert (float(loss), float(nll)) == pytest.approx((3.169, 2.931), abs=2e-3)
    assert set(weights(tmp_path / "checkpoint_last.pt")) == set(weights(CHECKPOINT))


@pytest.mark.slow
def test_it_is_exported_and_its_data_train_a_new_model(tmp_path: Path) -> None:
    exported = tmp_path / "exported"
    export_pretrained.main(["--checkpoint", str(CHECKPOINT), "--vocab", str(FIXTURE / "bert"), "--to", str(exported)])
    tensors = safetensors.torch.load_file(exported / "model.safetensors")
    table = weights(CHECKPOINT)["transformer.embeddings.token.weight"]
    assert torch.equal(tensors["bert.embeddings.word_embeddings.weight"], table)
    options = {**TRAINING, "pretrained": exported, "max_update": 2}
    done = run(train_command(FIXTURE / "data-bin", tmp_path / "anew", **options))
    assert "loaded                       26 tensors of a bert model" in done.out + done.err
