"""The literal commands score and decode as the published code does, written anew around the published encoder.

Layouts, attention and decoding steps are those of s2s-ft (paper 000, section 2): one line at a time, no cache, nothing
of the package. A published search may stop at the last step without the end token; fairseq forces that token.
"""

import math
import random
from pathlib import Path
from typing import List, NamedTuple, Sequence, Tuple

import commands
import pytest
import torch
from commands import METHODS, SPECIAL, WORDS, flags, generate_command, hypotheses, run
from torch import Tensor
from transformers import BertConfig, BertForMaskedLM

pytestmark = pytest.mark.slow

VOCABULARY = [*SPECIAL, *WORDS]
CLS, SEP, MASK = (SPECIAL.index(token) for token in ("[CLS]", "[SEP]", "[MASK]"))
MAX_SOURCE, MAX_TARGET, ROWS = 20, 12, 16
LONGEST, SHORTEST = 9, 3
TOLERANCE = 1e-5


class Published(NamedTuple):
    """A fine-tuning method on an encoder; sources and targets are lists of rows without special tokens."""

    bert: BertForMaskedLM
    method: str

    def source(self, words: List[int]) -> List[int]:
        """A cut source as the encoder reads it."""
        if self.method == "causal":
            return [CLS, *words][:MAX_SOURCE]
        return [*[CLS, *words][: MAX_SOURCE - 1], SEP]

    def log_probs(self, tokens: Sequence[int], positions: Tensor, start: int, allowed: Tensor) -> Tensor:
        """Natural logarithms [T, V]; segment 1 begins at ``start``; the position table is tiled."""
        forbidden = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)
        with torch.no_grad():
            logits = self.bert(
                input_ids=torch.tensor([tokens]),
                position_ids=positions[None] % ROWS,
                token_type_ids=(torch.arange(len(tokens)) >= start).long()[None],
                attention_mask=forbidden[None, None],
            ).logits
        return logits[0].log_softmax(-1)

    def score(self, source: List[int], target: List[int]) -> Tensor:
        """Log-probability of each token of the cut target [T], its end included."""
        known, wanted = self.source(source), [*target[: MAX_TARGET - 1], SEP]
        start, length = len(known), len(wanted)
        positions, allowed = torch.arange(start + length), left_to_right(start, length)
        if self.method == "causal":
            found = self.log_probs([*known, SEP, *wanted[:-1]], positions, start, allowed)
        else:
            slots = [*known, *wanted, *[MASK] * length]
            positions = torch.cat([positions, positions[start:]])
            found = self.log_probs(slots, positions, start, with_pseudo_masks(allowed, start))
        return found[-length:][torch.arange(length), torch.tensor(wanted)]

    def next(self, source: List[int], prefix: List[int]) -> Tensor:
        """Log-probabilities [V] of the token after a prefix."""
        known = self.source(source)
        tail = [SEP, *prefix] if self.method == "causal" else [*prefix, MASK]
        slots = [*known, *tail]
        return self.log_probs(slots, torch.arange(len(slots)), len(known), left_to_right(len(known), len(tail)))[-1]

    def greedy(self, source: List[int]) -> Tuple[List[int], float]:
        """The most probable token at each step, without the end token, and the sum of the logarithms."""
        words: List[int] = []
        total = 0.0
        while True:
            found = self.next(source, words)
            if len(words) < SHORTEST:
                found[SEP] = -math.inf
            token = SEP if len(words) == LONGEST else int(found.argmax())
            total += float(found[token])
            if token == SEP:
                return words, total
            words.append(token)


def left_to_right(start: int, length: int) -> Tensor:
    """Who may attend to whom [start + length, start + length]: all to the source, targets to the left as well."""
    allowed = torch.ones(start + length, start + length, dtype=torch.bool).tril()
    allowed[:, :start] = True
    return allowed


def with_pseudo_masks(allowed: Tensor, start: int) -> Tensor:
    """The same, with a pseudo mask for each target token, which sees what is left of that token, and itself."""
    end = len(allowed)
    both = torch.zeros(2 * end - start, 2 * end - start, dtype=torch.bool)
    both[:end, :end] = allowed
    for offset in range(end - start):
        both[end + offset, : start + offset] = True
        both[end + offset, end + offset] = True
    return both


def make_encoder(directory: Path) -> None:
    """Every parameter random; only words and the end are ever predicted; few positions, LayerNorm's ε not BERT's."""
    torch.manual_seed(7)
    sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
    config = BertConfig(vocab_size=len(VOCABULARY), **sizes, max_position_embeddings=ROWS, layer_norm_eps=1e-5)
    bert = BertForMaskedLM(config)
    with torch.no_grad():
        for name, parameter in bert.named_parameters():
            parameter.normal_(1.0 if "LayerNorm.weight" in name else 0.0, 0.3)
        bert.cls.predictions.bias[: len(SPECIAL)] -= 50
        bert.cls.predictions.bias[SEP] += 51
    bert.save_pretrained(directory)
    commands.write_lines(directory / "vocab.txt", VOCABULARY)


def random_side(rng: random.Random, limit: int) -> List[int]:
    """Rows of words: one, a few, about as many as fit, or too many."""
    length = rng.choice([1, 2, 5, limit - 2, limit - 1, limit, limit + 7])
    return [rng.randrange(len(SPECIAL), len(VOCABULARY)) for _ in range(length)]


def text(rows: Sequence[int]) -> str:
    """Rows as the line of a file."""
    return " ".join(VOCABULARY[row] for row in rows)


RNG = random.Random(3)
PAIRS = [(random_side(RNG, MAX_SOURCE), random_side(RNG, MAX_TARGET)) for _ in range(40)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The encoder in ``bert``, the binarized pairs in ``data``."""
    root = tmp_path_factory.mktemp("published")
    make_encoder(root / "bert")
    commands.write_pairs(root / "texts", "test", *([text(side) for side in sides] for sides in zip(*PAIRS)))
    run(commands.preprocess_command(root / "texts", root / "data", root / "bert" / "vocab.txt"))
    return root


@pytest.fixture(scope="module", params=METHODS)
def published(request: pytest.FixtureRequest, files: Path) -> Published:
    """The oracle of a method, after the encoder has been imported for it."""
    method = request.param
    options = dict(finetune_method=method, max_source_positions=MAX_SOURCE, max_target_positions=MAX_TARGET)
    run([*commands.IMPORT, "--from", files / "bert", "--to", files / method, *flags(options)])
    bert = BertForMaskedLM.from_pretrained(files / "bert", attn_implementation="eager").eval()
    return Published(bert, method)


def test_likelihood(published: Published, files: Path) -> None:
    model = files / published.method / "model.pt"
    found = hypotheses(run(generate_command(files / "data", model, score_reference=True)).out)
    assert sorted(found) == list(range(len(PAIRS)))
    for number, (source, target) in enumerate(PAIRS):
        expected = float(published.score(source, target).mean())
        assert found[number][0].score * math.log(2) == pytest.approx(expected, abs=TOLERANCE)


def test_greedy_decoding(published: Published, files: Path) -> None:
    limits = dict(beam=1, min_len=SHORTEST, max_len_b=LONGEST, unnormalized=True)
    found = hypotheses(run(generate_command(files / "data", files / published.method / "model.pt", **limits)).out)
    lengths = set()
    for number, (source, _) in enumerate(PAIRS):
        words, total = published.greedy(source)
        lengths.add(len(words))
        assert found[number][0].text == text(words)
        assert found[number][0].score * math.log(2) == pytest.approx(total, abs=TOLERANCE * (len(words) + 1))
    assert len(lengths) > 1, "every hypothesis has the same length: the end token is not tested"
