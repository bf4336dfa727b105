"""How much time and memory a recipe takes on one GPU: estimates from its sizes, not measurements.

Time: the operations of training, every example as long as the recipe lets it be, divided by operations a second. The
default for the latter is what an NVIDIA H200 did while four of this project's encoders were trained on it side by side
(examples/quickstart/encoder/README.md: 335,000 pieces a second each); the larger matrices of the papers' encoders use a
GPU better, and real texts are shorter than the limit. Writing and scoring the outputs is not in it.

Memory: weights, gradients and Adam's state in fairseq's half precision, and what a training step keeps for its backward
pass, whose tensors were counted on a CPU (tests/examples/test_recipes.py does so again). What CUDA itself takes is not
in it.
"""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from recipes import Recipe


class Encoder(NamedTuple):
    """The sizes of a Transformer, whose feed-forward part is four times as wide as its hidden states."""

    layers: int
    hidden: int
    vocabulary: int

    @property
    def weights(self) -> int:
        """Of the layers, the table of tokens and the head."""
        return self.layers * 12 * self.hidden**2 + (self.vocabulary + self.hidden) * self.hidden

    def flops(self, *, slots: int, pairs: int, labels: float) -> float:
        """Of a forward and a backward pass: ``pairs`` times a slot attends to another, ``labels`` slots predict."""
        layers = self.layers * (24 * slots * self.hidden**2 + 4 * pairs * self.hidden)
        return 3 * (layers + 2 * labels * self.hidden * (self.hidden + self.vocabulary))


VOCABULARIES = {"roberta": 50_265, "xlm": 250_002, "unilm": 28_996}
WORDPIECES = 30_522  # of all others
FLOWS = {"causal": 1, "masked": 1, "pseudo_masked": 2, "infilling": 2}
"""How many slots a token of the target has."""

RUNS, PIECES_A_SECOND, PIECES_OF_A_TEXT, MASKED = 4, 335_000, 104, 0.15
TRAINED = Encoder(4, 256, 8_000)
H200 = RUNS * PIECES_A_SECOND * TRAINED.flops(slots=1, pairs=PIECES_OF_A_TEXT, labels=MASKED)
"""Operations a second."""

STATE = 20  # bytes a weight: 2 + 2 in half precision; 4 + 4 of the master copy and its gradient, 8 of Adam
ACTIVATIONS = 22  # numbers that a step keeps for each slot, layer and unit of the hidden size; 18 if none is padded
HALF = 2  # bytes


class Estimate(NamedTuple):
    """Of one recipe on one GPU."""

    exaflops: float
    hours: float
    gigabytes: float


def encoder_of(recipe: Recipe) -> Encoder:
    """The sizes of the paper's encoder, by its name."""
    layers, hidden = (24, 1024) if "large" in recipe.encoder else (12, 768)
    return Encoder(layers, hidden, VOCABULARIES.get(recipe.encoder.split("-")[0], WORDPIECES))


def estimate(recipe: Recipe, *, flops: float = H200, gpu_batch: int = 8) -> Estimate:
    """What training takes with so many operations a second and so many examples at once."""
    encoder = encoder_of(recipe)
    source, target = (int(recipe.train[f"max-{side}-positions"]) for side in ("source", "target"))
    rest = target * FLOWS[recipe.method]
    pairs = source**2 + rest * (source + rest)
    once = encoder.flops(slots=source + rest, pairs=pairs, labels=target)
    operations = once * recipe.train_examples * recipe.schedule["epochs"]
    numbers = ACTIVATIONS * (source + rest) * encoder.layers * encoder.hidden + pairs
    kept = HALF * (numbers * math.gcd(gpu_batch, recipe.schedule["batch"]) + encoder.vocabulary * encoder.hidden)
    return Estimate(operations / 1e18, operations / flops / 3600, (STATE * encoder.weights + kept) / 1e9)


def table(found: Iterable[Recipe], *, flops: float = H200, gpu_batch: int = 8) -> Iterator[str]:
    """A table in Markdown, with the first base and the first large encoder of each task and paper."""
    yield "| task | paper | encoder, method | 10^18 operations | hours | GB |"
    yield "|---|---|---|---|---|---|"
    seen = set()
    for recipe in found:
        key = (recipe.task, recipe.paper, encoder_of(recipe).layers)
        if key not in seen:
            seen.add(key)
            figures = " | ".join(map(rounded, estimate(recipe, flops=flops, gpu_batch=gpu_batch)))
            yield f"| {recipe.task} | {recipe.paper} | {recipe.encoder}, {recipe.method} | {figures} |"


def rounded(number: float) -> str:
    """Two digits at least, and no more than one behind the point from 1 on."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}" if number >= 1 else f"{number:.2g}"
