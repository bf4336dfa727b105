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
from typing import NamedTuple, Union

from pretraining_recipes import Pretraining
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

    def flops(self, *, slots: float, pairs: float, labels: float) -> float:
        """Of a forward and a backward pass: ``pairs`` times a slot attends to another, ``labels`` slots predict."""
        layers = self.layers * (24 * slots * self.hidden**2 + 4 * pairs * self.hidden)
        return 3 * (layers + 2 * labels * self.hidden * (self.hidden + self.vocabulary))


VOCABULARIES = {"roberta": 50_265, "xlm": 250_002, "unilm": 28_996}
WORDPIECES = 30_522  # of all others
SIZES = {"base": (12, 768), "large": (24, 1024)}
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


class Training(NamedTuple):
    """What the operations of a training depend on.

    Attributes:
        encoder: what is trained.
        source, rest: slots of an example in the source block, and in the two others.
        labels: slots of an example that predict.
        examples: of all updates together.
        at_once: examples of a forward pass.
    """

    encoder: Encoder
    source: float
    rest: float
    labels: float
    examples: int
    at_once: int

    @property
    def pairs(self) -> float:
        """How often a slot of an example attends to another."""
        return self.source**2 + self.rest * (self.source + self.rest)

    def takes(self, *, flops: float) -> "Estimate":
        """Time and memory with so many operations a second."""
        encoder, slots = self.encoder, self.source + self.rest
        operations = self.examples * encoder.flops(slots=slots, pairs=self.pairs, labels=self.labels)
        numbers = ACTIVATIONS * slots * encoder.layers * encoder.hidden + self.pairs
        kept = HALF * (numbers * self.at_once + encoder.vocabulary * encoder.hidden)
        return Estimate(operations / 1e18, operations / flops / 3600, (STATE * encoder.weights + kept) / 1e9)


def encoder_of(recipe: Recipe) -> Encoder:
    """The sizes of the paper's encoder, by its name."""
    vocabulary = VOCABULARIES.get(recipe.encoder.split("-")[0], WORDPIECES)
    return Encoder(*SIZES["large" if "large" in recipe.encoder else "base"], vocabulary)


def fine_tuning(recipe: Recipe, *, gpu_batch: int) -> Training:
    """Every example as long as the recipe lets it be."""
    source, target = (int(recipe.train[f"max-{side}-positions"]) for side in ("source", "target"))
    at_once = math.gcd(gpu_batch, recipe.schedule["batch"])
    examples = recipe.train_examples * recipe.schedule["epochs"]
    return Training(encoder_of(recipe), source, target * FLOWS[recipe.method], target, examples, at_once)


def pre_training(recipe: Pretraining, *, gpu_batch: int) -> Training:
    """Every text as long as the recipe lets it be."""
    encoder = Encoder(*SIZES[recipe.size], recipe.vocabulary["size"])
    source, rest, labels = (share * recipe.positions for share in recipe.slots)
    examples = recipe.schedule["updates"] * recipe.batch
    return Training(encoder, source, rest, labels, examples, recipe.at_once(gpu_batch))


def estimate(recipe: Union[Recipe, Pretraining], *, flops: float = H200, gpu_batch: int = 8) -> Estimate:
    """What training takes with so many operations a second and so many examples at once."""
    if isinstance(recipe, Pretraining):
        return pre_training(recipe, gpu_batch=gpu_batch).takes(flops=flops)
    return fine_tuning(recipe, gpu_batch=gpu_batch).takes(flops=flops)


def table(found: Iterable[Union[Recipe, Pretraining]], *, flops: float = H200, gpu_batch: int = 8) -> Iterator[str]:
    """A table in Markdown, with the first base and the first large encoder of each task and paper."""
    yield "| task | paper | encoder, method | 10^18 operations | hours | GB |"
    yield "|---|---|---|---|---|---|"
    seen = set()
    for recipe in found:
        encoder, method, sizes = described(recipe)
        key = (recipe.task, recipe.paper, sizes)
        if key not in seen:
            seen.add(key)
            figures = " | ".join(map(rounded, estimate(recipe, flops=flops, gpu_batch=gpu_batch)))
            yield f"| {recipe.task} | {recipe.paper} | {encoder}, {method} | {figures} |"


def described(recipe: Union[Recipe, Pretraining]) -> tuple[str, str, str]:
    """Encoder and method, and what tells apart the rows of a task and a paper."""
    if isinstance(recipe, Pretraining):
        return recipe.name, recipe.objective, recipe.size
    return recipe.encoder, recipe.method, str(encoder_of(recipe).layers)


def rounded(number: float) -> str:
    """Two digits at least, and no more than one behind the point from 1 on."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}" if number >= 1 else f"{number:.2g}"
