"""Dialogues through the package and its commands, against ERNIE-GEN's dialogue weights and the released layout."""

import math
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional

import commands
import pytest
import torch
from commands import flags, generate_command, hypotheses, mistake, train_command, write_lines
from one_process import Session
from oracles import Checkpoint, left_to_right, with_pseudo_masks
from tiny_checkpoints import ernie_gen
from torch import Tensor

from s2sft_fairseq import S2SModel, import_pretrained

POSITIONS = ["--max-source-positions", "30", "--max-target-positions", "17"]
TALKS = ["w1 w2 [SEP] w3 [SEP] w4 w5 w6", "w7", "w1 [SEP] w2[SEP]w3 [SEP] w4 [SEP] w5", "w8 [SEP] w9"]
ANSWERS = ["w10 w11", "w12", "w3 w3 w1 w2", "w4"]
KNOWLEDGE = ["w20 w21", "w22", "", "w23 w24 w25"]


class Read(NamedTuple):
    """Tokens with their roles and turns, int64 [L] each."""

    token: Tensor
    role: Tensor
    turn: Tensor


def read(made: Checkpoint, talk: str, knowledge: Optional[str]) -> Read:
    """A source as the released code of ERNIE-GEN reads it."""
    utterances = [part.split() for part in talk.split("[SEP]")]
    turn = len(utterances)
    slots = [("[CLS]", turn % 2, turn)]
    if knowledge is not None:
        slots += [(token, 2, 0) for token in [*knowledge.split(), "[SEP]"]]
    for number, utterance in enumerate(utterances):
        age = turn - number
        slots += [(token, age % 2, age) for token in [*utterance, "[SEP]"]]
    tokens, roles, turns = zip(*slots)
    return Read(torch.tensor([made.row(token) for token in tokens]), torch.tensor(roles), torch.tensor(turns))


def expected_scores(made: Checkpoint, talk: str, answer: str, knowledge: Optional[str] = None) -> Tensor:
    """Log-probability of each token of the answer and its end by infilling, [T]: the answer has role 0 and turn 0."""
    source, wanted = (
        read(made, talk, knowledge),
        torch.tensor([made.row(token) for token in [*answer.split(), "[SEP]"]]),
    )
    start, length = len(source.token), len(wanted)
    query = torch.full_like(wanted, made.row("[ATTN]"))
    token = torch.cat([source.token, torch.tensor([made.row("[CLS]")]), wanted, query])
    position = torch.arange(start + 1 + length)
    position = torch.cat([position, position[-length:]])
    role, turn = torch.zeros_like(token), torch.zeros_like(token)
    role[:start], turn[:start] = source.role, source.turn
    allowed = with_pseudo_masks(left_to_right(start, 1 + length), start + 1)
    found = made.oracle.logits(*(part[None] for part in (token, position, role, allowed)), turn=turn[None])
    return found[0, -length:].log_softmax(-1)[torch.arange(length), wanted]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Dialogue weights with three roles and sixteen turns."""
    return ernie_gen(tmp_path_factory.mktemp("dialogue") / "checkpoint", dialogue=True)


def imported(made: Checkpoint, layout: str) -> Path:
    """A checkpoint for infilling."""
    folder = made.directory.parent / layout
    words = ["--from", str(made.directory), "--to", str(folder), "--finetune-method", "infilling", *POSITIONS]
    import_pretrained.main([*words, "--source-layout", layout])
    return folder


def sources_of(layout: str) -> List[str]:
    """The lines of the source file."""
    grounded = [f"{known} [SEP] {talk}" for known, talk in zip(KNOWLEDGE, TALKS)]
    return grounded if layout == "grounded_dialogue" else TALKS


@pytest.mark.parametrize("layout", ["dialogue", "grounded_dialogue"])
def test_scores_in_python(made: Checkpoint, layout: str) -> None:
    """Text with [SEP] between its utterances, in one ragged batch."""
    model = S2SModel.from_pretrained(imported(made, layout))
    scored = model.score(sources_of(layout), ANSWERS)
    for hypothesis, talk, answer, known in zip(scored, TALKS, ANSWERS, KNOWLEDGE):
        expected = expected_scores(made, talk, answer, known if layout == "grounded_dialogue" else None)
        torch.testing.assert_close(hypothesis.token_scores, expected, atol=1e-4, rtol=0)


def test_the_layout_shows(made: Checkpoint) -> None:
    """Weights that do not tell roles and turns apart would pass the test above."""
    expected = torch.cat([expected_scores(made, talk, answer) for talk, answer in zip(TALKS, ANSWERS)])
    plain = S2SModel.from_pretrained(imported(made, "plain")).score(TALKS, ANSWERS)
    difference = (torch.cat([one.token_scores for one in plain]) - expected).abs()
    assert difference.max() > 0.1


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session() as running:
        yield running


@pytest.mark.slow
def test_commands(made: Checkpoint, session: Session, tmp_path: Path) -> None:
    """Pieces, training, decoding and scoring of dialogues; the checkpoint alone says how they are read."""
    for split in ("train", "valid", "test"):
        for suffix, lines in (("src", TALKS * 3), ("tgt", ANSWERS * 3)):
            write_lines(tmp_path / "raw" / f"{split}.{suffix}", lines)
    for split in ("train", "valid", "test"):
        names = [f"{split}.{suffix}" for suffix in ("src", "tgt")]
        inputs, outputs = ([tmp_path / folder / name for name in names] for folder in ("raw", "pieces"))
        vocabulary = ["--s2s-ft-vocab", made.directory]
        commands.run(["python", "preprocess/pieces.py", *vocabulary, "--inputs", *inputs, "--outputs", *outputs])
    data = tmp_path / "data"
    session.run(commands.preprocess_command(tmp_path / "pieces", data, made.directory / "vocab.txt"))
    options = dict(pretrained=made.directory, finetune_method="infilling", source_layout="dialogue", num_workers=0)
    frozen = dict(lr=0, max_source_positions=30, max_target_positions=17, max_update=2)
    session.run(train_command(data, tmp_path / "save", **options, **frozen))
    checkpoint = tmp_path / "save" / "checkpoint_last.pt"
    scored = hypotheses(session.run(generate_command(data, checkpoint, num_workers=0, score_reference=True)))
    assert len(scored) == 3 * len(TALKS)
    for number, (talk, answer) in enumerate(zip(TALKS * 3, ANSWERS * 3)):
        expected = float(expected_scores(made, talk, answer).mean())
        assert scored[number][0].score * math.log(2) == pytest.approx(expected, abs=1e-4)
    search = dict(beam=3, min_len=2, max_len_b=8)
    found = hypotheses(session.run(generate_command(data, checkpoint, num_workers=0, **search)))
    assert len({found[number][0].text for number in range(len(TALKS))}) > 1
    for number, talk in enumerate(TALKS):
        expected = float(expected_scores(made, talk, found[number][0].text).mean())
        assert found[number][0].score * math.log(2) == pytest.approx(expected, abs=1e-4)
    raw = tmp_path / "out"
    words = ["--checkpoint", checkpoint, "--input", tmp_path / "raw" / "test.src", "--output", raw, "--cpu"]
    session.run(["python", "-m", "s2sft_fairseq.generate", *words, *flags(search)])
    assert raw.read_text().splitlines() == [found[number][0].text for number in range(3 * len(TALKS))]


@pytest.mark.slow
def test_mistakes(made: Checkpoint, tmp_path: Path) -> None:
    """One line each: a record with more columns than segments, before training starts."""
    for split in ("train", "valid"):
        commands.write_pairs(tmp_path / "texts", split, ["w1", "w1 [SEP] w2 [SEP] w3 [SEP] w4"], ["w1", "w2"])
    data = tmp_path / "data"
    commands.run(commands.preprocess_command(tmp_path / "texts", data, made.directory / "vocab.txt"))
    options = dict(pretrained=made.directory, source_layout="columns", source_type_id=0, target_type_id=2)
    found = mistake(train_command(data, tmp_path / "save", finetune_method="infilling", num_workers=0, **options))
    assert "source 2: number of parts (columns), separated by end tokens, is 4; expected at most 2" in found
