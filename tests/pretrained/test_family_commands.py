"""Every family with every fine-tuning method, through fairseq's commands: it trains, and decodes what it scores."""

import random
import re
from pathlib import Path
from typing import Iterator, List, NamedTuple, Tuple

import pytest
import torch
from commands import Hypothesis, generate_command, hypotheses, preprocess_command, train_command, write_pairs
from methods import METHODS
from one_process import Session
from oracles import Checkpoint
from tiny_checkpoints import FORMATS

pytestmark = pytest.mark.slow

ENCODERS = (
    "bert",
    "bert, headless",
    "electra discriminator",
    "electra generator",
    "ernie",
    "ernie-gen",
    "ernie-gen, dialogue",
    "fairseq roberta",
    "roberta",
    "unilm",
    "unilmv2",
    "xlm-roberta",
)
UPDATES, COUNT, BEAM = 4, 24, 3


class Family(NamedTuple):
    """A pretrained encoder and data binarized with its vocabulary, in a directory of its own."""

    made: Checkpoint
    root: Path
    session: Session

    def binarize(self, folder: Path, sources: List[str], targets: List[str], *splits: str) -> Path:
        """The same pairs of lines as each of the splits; returns the directory."""
        for split in splits:
            write_pairs(folder / "texts", split, sources, targets)
        self.session.run(preprocess_command(folder / "texts", folder / "data", self.made.directory))
        return folder / "data"

    def generate(self, data: Path, checkpoint: Path, **options: object) -> str:
        """What fairseq-generate prints."""
        return self.session.run(generate_command(data, checkpoint, num_workers=0, **options))


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """The process that runs the commands."""
    with Session() as process:
        yield process


def random_lines(made: Checkpoint, *, longest: int, seed: int) -> List[str]:
    """Lines of a family's pieces."""
    rng = random.Random(seed)
    words = [made.vocabulary[row] for row in made.words()]
    return [" ".join(rng.choices(words, k=rng.randint(1, longest))) for _ in range(COUNT)]


@pytest.fixture(scope="module", params=ENCODERS)
def family(request: pytest.FixtureRequest, session: Session, tmp_path_factory: pytest.TempPathFactory) -> Family:
    """An encoder of each family."""
    root = tmp_path_factory.mktemp("family")
    family = Family(FORMATS[request.param](root / "encoder"), root, session)
    sources, targets = random_lines(family.made, longest=15, seed=1), random_lines(family.made, longest=12, seed=2)
    family.binarize(root, sources, targets, "train", "valid", "test")
    return family


@pytest.mark.parametrize("method", METHODS)
def test_trains_and_decodes_what_it_scores(family: Family, method: str) -> None:
    """After a few updates, which reach every tensor, a beam's scores are what scoring its lines as references gives."""
    save = family.root / method
    options = dict(pretrained=family.made.directory, finetune_method=method, max_update=UPDATES, num_workers=0)
    family.session.run(train_command(family.root / "data", save, no_epoch_checkpoints=True, **options))
    checkpoint = save / "checkpoint_last.pt"
    assert_trained(checkpoint)

    out = family.generate(family.root / "data", checkpoint, beam=BEAM, nbest=BEAM)
    assert sorted(hypotheses(out)) == list(range(COUNT))
    sources = (family.root / "texts" / "test.src").read_text(encoding="utf-8").splitlines()
    found = [(sources[number], hypothesis) for number, hypothesis in complete(out, family.made)]
    assert len(found) > COUNT // 2
    data = family.binarize(save, [source for source, _ in found], [text for _, (_, text) in found], "test")
    scored = hypotheses(family.generate(data, checkpoint, score_reference=True))
    for number, (_, hypothesis) in enumerate(found):
        assert scored[number][0].text == hypothesis.text
        assert scored[number][0].score == pytest.approx(hypothesis.score, abs=2e-5)


def complete(out: str, made: Checkpoint) -> Iterator[Tuple[int, Hypothesis]]:
    """Hypotheses that can stand as references: words alone, and no special token that fairseq does not print."""
    words = {made.vocabulary[row] for row in made.words()}
    lines = re.findall(r"^H-(\d+)\t(\S+)\t(.+)\nD-.*\nP-\d+\t(.*)$", out, flags=re.MULTILINE)
    for number, score, text, steps in lines:
        if words.issuperset(text.split()) and len(steps.split()) == len(text.split()) + 1:
            yield int(number), Hypothesis(float(score), text)


def assert_trained(checkpoint: Path) -> None:
    """All updates were made, and each moved something of every tensor."""
    state = torch.load(checkpoint, weights_only=False)
    assert state["optimizer_history"][-1]["num_updates"] == UPDATES
    moments = state["last_optimizer_state"]["state"]
    assert len(moments) == len(state["model"])
    for name, moment in zip(state["model"], moments.values()):
        assert moment["exp_avg"].abs().max() > 0, f"{name} is never trained"
