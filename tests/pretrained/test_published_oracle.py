"""The literal commands score and decode as the published code does, written anew around the published encoders.

Layouts, attention and decoding steps are those of s2s-ft (paper 000, section 2): one line at a time, no cache, nothing
of the package. A published search may stop at the last step without the end token; fairseq forces that token.
"""

import math
import random
import re
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import commands
import pytest
import torch
from commands import flags, generate_command, hypotheses
from methods import METHODS
from one_process import Session
from oracles import Checkpoint, left_to_right, with_pseudo_masks
from tiny_checkpoints import bert, fairseq_roberta, roberta, unilm, unilmv2
from torch import Tensor

pytestmark = pytest.mark.slow

MAX_SOURCE, MAX_TARGET, ROWS = 20, 12, 16
LONGEST, SHORTEST = 9, 2
BEAM, COUNT = 3, 24
TOLERANCE = 1e-5
ENCODERS: Dict[str, Callable[[Path], Checkpoint]] = {
    "bert": lambda directory: bert(directory, max_position_embeddings=ROWS),
    "roberta": lambda directory: roberta(directory, segment_row=False, max_position_embeddings=ROWS + 2, seed=1),
    "fairseq roberta": lambda directory: fairseq_roberta(directory, old=True),
    "unilm": unilm,
    "unilmv2": lambda directory: unilmv2(directory, max_position_embeddings=ROWS),
}
"""Some have fewer positions than the longest line, so that their table is tiled."""


Scored = Tuple[float, List[int]]


class Published(NamedTuple):
    """A fine-tuning method on an encoder; sources and targets are lists of rows without special tokens.

    The query of infilling begins as a copy of the mask, which therefore stands for it.
    """

    encoder: Checkpoint
    method: str

    @property
    def end(self) -> int:
        """The row of the token that ends sources and targets."""
        return self.encoder.row(self.encoder.special.end)

    @property
    def mask(self) -> int:
        """The row of the mask."""
        return self.encoder.row(self.encoder.special.mask)

    def source(self, words: List[int]) -> List[int]:
        """A cut source as the encoder reads it."""
        start = self.encoder.row(self.encoder.special.start)
        if self.method == "causal":
            return [start, *words][:MAX_SOURCE]
        return [*[start, *words][: MAX_SOURCE - 1], self.end]

    @property
    def opening(self) -> List[int]:
        """What stands before the known tokens of a target."""
        return {"causal": [self.end], "infilling": [self.encoder.row(self.encoder.special.start)]}.get(self.method, [])

    def log_probs(self, tokens: Tensor, positions: Tensor, start: int, allowed: Tensor) -> Tensor:
        """Natural logarithms [B, T, V] of tokens [B, T]; the target and its segment begin at ``start``."""
        of_source, of_target = self.encoder.segments
        segments = torch.full_like(positions, of_target)
        segments[:start] = of_source
        shared = (part.expand(len(tokens), *part.shape) for part in (positions, segments, allowed))
        return self.encoder.oracle.logits(tokens, *shared).log_softmax(-1)

    def score(self, source: List[int], target: List[int]) -> Tensor:
        """Log-probability of each token of the cut target [T], its end included."""
        known, wanted = self.source(source), [*target[: MAX_TARGET - 1], self.end]
        start, length = len(known), len(wanted)
        slots = [*known, *self.opening, *wanted]
        first = len(slots) - length
        positions, allowed = torch.arange(len(slots)), left_to_right(start, len(slots) - start)
        if self.method == "causal":
            slots, positions, allowed = slots[:-1], positions[:-1], allowed[:-1, :-1]
        else:
            slots, positions = slots + [self.mask] * length, torch.cat([positions, positions[first:]])
            allowed = with_pseudo_masks(allowed, first)
        found = self.log_probs(torch.tensor([slots]), positions, start, allowed)[0, -length:]
        return found[torch.arange(length), torch.tensor(wanted)]

    def next(self, source: List[int], prefixes: List[List[int]]) -> Tensor:
        """Log-probabilities [B, V] of the token after each of several prefixes of one length, within the limits."""
        known = self.source(source)
        query = [] if self.method == "causal" else [self.mask]
        tails = [[*self.opening, *prefix, *query] for prefix in prefixes]
        tokens, allowed = torch.tensor([known + tail for tail in tails]), left_to_right(len(known), len(tails[0]))
        found = self.log_probs(tokens, torch.arange(len(allowed)), len(known), allowed)[:, -1]
        if len(prefixes[0]) < SHORTEST:
            found[:, self.end] = -math.inf
        if len(prefixes[0]) == LONGEST:
            found[:, torch.arange(found.size(1)) != self.end] = -math.inf
        return found

    def search(self, source: List[int], beam: int) -> List[Scored]:
        """Hypotheses without their end and the sums of their logarithms, the best first (greedy: a beam of 1).

        fairseq's rules: of twice as many candidates as the beam is wide, those that end among the first are
        hypotheses, the others go on; as many hypotheses as the beam is wide are enough.
        """
        going: List[Scored] = [(0.0, [])]
        done: List[Scored] = []
        while len(done) < beam and going:
            found = self.next(source, [words for _, words in going])
            extended = [
                (total + more, [*words, row])
                for (total, words), scores in zip(going, found.tolist())
                for row, more in enumerate(scores)
                if more > -math.inf
            ]
            best = sorted(extended, reverse=True)[: 2 * beam]
            done += [(total, words[:-1]) for total, words in best[:beam] if words[-1] == self.end]
            going = [scored for scored in best if scored[1][-1] != self.end][:beam]
        return sorted(done[:beam], reverse=True)

    def text(self, rows: Sequence[int]) -> str:
        """Rows as the line of a file."""
        return " ".join(self.encoder.vocabulary[row] for row in rows)


def random_side(rng: random.Random, words: Sequence[int], limit: int) -> List[int]:
    """Rows of words: one, a few, about as many as fit, or too many."""
    return rng.choices(words, k=rng.choice([1, 2, 5, limit - 2, limit - 1, limit, limit + 7]))


def random_pairs(words: Sequence[int]) -> List[Tuple[List[int], List[int]]]:
    """Sources and targets."""
    rng = random.Random(3)
    return [(random_side(rng, words, MAX_SOURCE), random_side(rng, words, MAX_TARGET)) for _ in range(COUNT)]


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """The process that runs the commands."""
    with Session() as process:
        yield process


@pytest.fixture(scope="module", params=ENCODERS)
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A published encoder."""
    return ENCODERS[request.param](tmp_path_factory.mktemp("published") / "encoder")


@pytest.fixture(scope="module", params=METHODS)
def published(request: pytest.FixtureRequest, session: Session, encoder: Checkpoint) -> Published:
    """The oracle of a method, after the encoder has been imported for it and the pairs binarized."""
    published, root = Published(encoder, request.param), encoder.directory.parent
    options = dict(max_source_positions=MAX_SOURCE, max_target_positions=MAX_TARGET)
    imported = [*commands.IMPORT, "--from", encoder.directory, "--to", root / published.method]
    session.run([*imported, "--finetune-method", published.method, *flags(options)])
    sides = zip(*random_pairs(encoder.words()))
    lines = [[published.text(side) for side in several] for several in sides]
    for split in ("train", "valid", "test"):
        commands.write_pairs(root / "texts", split, *lines)
    dictionary = root / published.method / "dict.txt"
    session.run(commands.preprocess_command(root / "texts", root / published.method / "data", dictionary))
    return published


def generate(published: Published, session: Session, **options: object) -> Dict[int, List[commands.Hypothesis]]:
    """What fairseq-generate prints."""
    folder = published.encoder.directory.parent / published.method
    found = hypotheses(session.run(generate_command(folder / "data", folder / "model.pt", num_workers=0, **options)))
    assert sorted(found) == list(range(COUNT))
    return found


def test_loss(published: Published, session: Session) -> None:
    """The mean over the targets' tokens, without padding; in training too, if the method can go without noise."""
    folder = published.encoder.directory.parent / published.method
    limits = dict(max_source_positions=MAX_SOURCE, max_target_positions=MAX_TARGET, batch_size=COUNT, num_workers=0)
    is_masked = published.method == "masked"
    noise = dict(target_mask_prob="0.5" if is_masked else 0, mask_keep_prob=0, mask_random_prob=0)
    frozen = dict(lr=0, dropout=0, attention_dropout=0, label_smoothing=0, max_update=1, no_save=True)
    options = dict(pretrained=published.encoder.directory, finetune_method=published.method)
    out = session.run(commands.train_command(folder / "data", folder / "save", **options, **limits, **noise, **frozen))
    scores = torch.cat([published.score(*pair) for pair in random_pairs(published.encoder.words())])
    logged = dict(re.findall(r"^(train|valid) \| epoch.* nll_loss ([\d.]+)", out, flags=re.MULTILINE))
    assert len(logged) == 2
    for part in ["valid"] if is_masked else ["train", "valid"]:
        assert float(logged[part]) * math.log(2) == pytest.approx(-float(scores.mean()), abs=1e-3)


def test_likelihood(published: Published, session: Session) -> None:
    found = generate(published, session, score_reference=True)
    for number, (source, target) in enumerate(random_pairs(published.encoder.words())):
        expected = float(published.score(source, target).mean())
        assert found[number][0].score * math.log(2) == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("beam", [1, BEAM])
def test_search(published: Published, session: Session, beam: int) -> None:
    limits = dict(beam=beam, nbest=beam, min_len=SHORTEST, max_len_b=LONGEST, unnormalized=True)
    found = generate(published, session, **limits)
    lengths = set()
    for number, (source, _) in enumerate(random_pairs(published.encoder.words())):
        expected = published.search(source, beam)
        assert len(expected) == len(found[number]) == beam
        for (total, words), hypothesis in zip(expected, found[number]):
            lengths.add(len(words))
            assert hypothesis.text == published.text(words)
            assert hypothesis.score * math.log(2) == pytest.approx(total, abs=TOLERANCE * (len(words) + 1))
    assert len(lengths) > 1, "every hypothesis has the same length: the end token is not tested"
