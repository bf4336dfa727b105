"""Training that validates by generation: its log, and the checkpoint that it keeps, against generating afterwards."""

import json
import re
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple

import pytest
from commands import generate_command, mistake, run, torchrun, train_command, weights, write_pairs
from commands import preprocess_command as preprocess

from s2sft_fairseq.metrics import METRICS

pytestmark = pytest.mark.slow

EPOCHS = 3
SEARCH = dict(beam=3, lenpen="0.5", max_len_b=7)
BY_ROUGE = dict(best_checkpoint_metric="rouge_l", maximize_best_checkpoint_metric=True)
TINY = dict(encoder_layers=1, encoder_embed_dim=32, encoder_ffn_embed_dim=64, encoder_attention_heads=4)

HYPOTHESES = r"^D-(\d+)\t\S+\t(.*)$"
REFERENCES = r"^T-(\d+)\t(.*)$"

Figures = Dict[str, float]


def logged(out: str, tag: str) -> List[Dict[str, float]]:
    """The lines of a log in JSON that have this tag, with numbers for strings."""
    lines = re.findall(rf"\| {tag} \| (\{{.*\}})", out)
    return [{name: float(value) for name, value in json.loads(line).items()} for line in lines]


def offline(data: Path, checkpoint: Path, vocabulary: Path) -> Figures:
    """ROUGE of what fairseq-generate writes for the validation set."""
    text = dict(bpe="s2s_ft", s2s_ft_vocab=vocabulary)
    out = run(generate_command(data, checkpoint, gen_subset="valid", **SEARCH, **text)).out
    found, references = (dict(re.findall(pattern, out, re.MULTILINE)) for pattern in (HYPOTHESES, REFERENCES))
    order = sorted(found, key=int)
    return METRICS["rouge"]().examples([found[i] for i in order], [[references[i]] for i in order]).figures()


class Trained(NamedTuple):
    """A finished training: where it saved, and what it logged."""

    save: Path
    out: str


@pytest.fixture(scope="module", params=[train_command, torchrun], ids=["one", "two"])
def trained(
    request: pytest.FixtureRequest, bert: Path, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Trained:
    """A few epochs with ROUGE at every validation, in one process or two."""
    save, search = tmp_path_factory.mktemp("trained"), json.dumps(SEARCH)
    command: Callable[..., List[object]] = request.param
    options = dict(pretrained=bert, lr="3e-3", batch_size=5, max_update=100, max_epoch=EPOCHS)
    done = run(command(data, save, **options, eval_rouge=True, eval_generation_args=search, **BY_ROUGE))
    return Trained(save, done.out + done.err)


def of_valid(out: str, name: str) -> List[float]:
    """A figure of every validation, from a log in fairseq's simple format."""
    return [float(value) for value in re.findall(rf"\| valid \|.*?\| {name} ([\d.]+)", out)]


class TestSelection:
    """The log and the best checkpoint."""

    def test_figures_are_those_of_generating_afterwards(self, trained: Trained, data: Path, bert: Path) -> None:
        checkpoints = [trained.save / f"checkpoint{epoch}.pt" for epoch in range(1, EPOCHS + 1)]
        afterwards = [offline(data, checkpoint, bert) for checkpoint in checkpoints]
        for name in ("rouge_1", "rouge_2", "rouge_l"):
            assert of_valid(trained.out, name) == pytest.approx([figures[name] for figures in afterwards], rel=1e-5)
        scores = [figures["rouge_l"] for figures in afterwards]
        assert scores.count(max(scores)) == 1
        best = weights(checkpoints[scores.index(max(scores))])
        kept = weights(trained.save / "checkpoint_best.pt")
        assert all(tensor.equal(best[name]) for name, tensor in kept.items())

    def test_samples_come_once_a_validation(self, trained: Trained) -> None:
        assert len(re.findall("sample 1, hypothesis:", trained.out)) == EPOCHS

    def test_validating_again_says_the_same(self, trained: Trained, data: Path) -> None:
        last = trained.save / "checkpoint_last.pt"
        command = ["fairseq-validate", data, "--user-dir", "s2sft_fairseq", "--task", "s2s_ft", "--path", last]
        again = run([*command, "--cpu", "--batch-size", 3, "--valid-subset", "valid"]).out
        assert of_valid(again, "rouge_l") == pytest.approx([of_valid(trained.out, "rouge_l")[-1]], rel=1e-5)


def test_training_is_the_same_without(bert: Path, data: Path, tmp_path: Path) -> None:
    """Sampling at every validation does not change a bit of the weights, dropout included."""
    options = dict(pretrained=bert, max_update=7, validate_interval_updates=2, log_format="json")
    search = dict(eval_rouge=True, eval_generation_args='{"sampling": true, "beam": 2}')
    run(train_command(data, tmp_path / "with", **options, **search))
    run(train_command(data, tmp_path / "without", **options))
    evaluated, plain = (weights(tmp_path / name / "checkpoint_last.pt") for name in ("with", "without"))
    assert all(tensor.equal(evaluated[name]) for name, tensor in plain.items())


def test_text_by_the_bpe_of_the_command_line(bert: Path, data: Path, texts: Path, tmp_path: Path) -> None:
    """A model without a pretrained directory; fairseq-validate may ask for more metrics than training did."""
    options = dict(bpe="s2s_ft", s2s_ft_vocab=bert, max_epoch=1, eval_metric="chrf", **TINY)
    done = run(train_command(data, tmp_path, **options))
    reference = (texts / "valid.tgt").read_text().splitlines()[0]
    assert f"sample 1, reference: {reference}\n" in done.out + done.err
    command = ["fairseq-validate", data, "--user-dir", "s2sft_fairseq", "--task", "s2s_ft", "--cpu", "--eval-rouge"]
    again = run([*command, "--path", tmp_path / "checkpoint_last.pt", "--batch-size", 4, "--valid-subset", "valid"]).out
    assert of_valid(again, "chrf") == of_valid(done.out + done.err, "chrf")[-1:]
    assert of_valid(again, "rouge_l")


def test_patience_counts_validations_without_a_better_figure(bert: Path, data: Path, tmp_path: Path) -> None:
    options = dict(pretrained=bert, lr=0, max_update=100, max_epoch=6, patience=2, eval_sentences=5)
    done = run(train_command(data, tmp_path, **options, eval_rouge=True, **BY_ROUGE))
    assert len(of_valid(done.out + done.err, "rouge_l")) == 3
    assert "early stop" in done.out + done.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (dict(eval_metric="rogue"), "no such metric"),
        (dict(eval_rouge=True, eval_generation_args="beam=4"), "not valid JSON"),
        (dict(eval_rouge=True), "add --bpe"),
        (dict(best_checkpoint_metric="rouge_l"), "not logged"),
        (dict(eval_rouge=True, best_checkpoint_metric="rouge_l"), "--maximize-best-checkpoint-metric"),
    ],
)
def test_mistakes_are_told_before_training(data: Path, tmp_path: Path, options: Dict[str, object], says: str) -> None:
    assert says in mistake(train_command(data, tmp_path, **TINY, **options))
    assert not list(tmp_path.glob("*.pt"))


def test_progress(bert: Path, tmp_path: Path) -> None:
    """Pairs of one length have known numbers of slots: [CLS], 3 words, [SEP] and twice 4 of the target."""
    for split in ("train", "valid"):
        write_pairs(tmp_path, split, ["w1 w2 w3"] * 96, ["w1 w2 w3"] * 96)
    run(preprocess(tmp_path, tmp_path / "bin", bert))
    options = dict(finetune_method="pseudo_masked", log_format="json", log_interval=10, max_epoch=4, max_update=40)
    done = run(train_command(tmp_path / "bin", tmp_path / "save", **TINY, **options))
    lines = logged(done.out + done.err, "train_inner")
    assert [line["num_updates"] for line in lines] == [10, 20, 30, 40]
    for line in lines:
        assert line["slots_per_second"] / line["wps"] == pytest.approx(13 / 4, rel=0.01)
        assert 0.05 < line["gb_peak"] < 16
    assert lines[-1]["seconds_left"] == 0
