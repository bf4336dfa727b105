"""Where the time goes: shares of the operators, and how near the products of linear layers are to the CPU's limit."""

from collections.abc import Callable
from functools import partial

import torch
from torch.profiler import ProfilerActivity, profile

from .. import ours
from ..contestants import decode, optimizer_of, train
from ..protocol import seconds
from ..results import Result, Row
from ..shapes import BASE, SMALL, TINY, Shape
from . import FULL, SMALLEST, Settings

METHOD, LENGTH = "pseudo_masked", 24
SHAPES = {SMALLEST: [TINY], FULL: [SMALL, BASE]}
PARTS = {
    "products of linear layers": {"addmm", "mm"},
    "products of the loss": {"addmm_"},
    "attention": {
        "bmm",
        "baddbmm",
        "_softmax",
        "_softmax_backward_data",
        "_scaled_dot_product_flash_attention_for_cpu",
    },
    "moving rows and columns": {"copy_", "index_select", "index_fill_", "cat", "index", "index_copy_"},
    "dropout": {"random_", "ge", "where"},
    "activation": {"gelu", "gelu_backward"},
    "LayerNorm": {"native_layer_norm", "native_layer_norm_backward"},
    "sums and scalings": {"add", "add_", "mul", "mul_", "sub", "sum", "fill_"},
    "optimizer": {"_fused_adamw_"},
    "search": {"topk", "ne", "_log_softmax", "masked_fill_", "gather"},
}
"""The operators of each part, by their names in aten."""

FASTEST = 2048
"""Rows and columns of the product that shows what the CPU can do."""


def measure(settings: Settings) -> Result:
    """Shares of a training step, of beam 5 and of greedy search, and the speed of products in each."""
    result = Result(f"Profile ({METHOD}, share of the time in operators)")
    peak = peak_flops()
    for shape in settings.pick(SHAPES):
        for what, work in works(shape).items():
            result.rows += rows(f"{shape.name}, {what}", work, peak)
    result.notes.append("Operators are timed on their own: Python and the profiler itself are left out.")
    return result


def works(shape: Shape) -> dict[str, Callable[[], object]]:
    """What is profiled, by name."""
    samples = ours.real_samples(shape, method=METHOD, count=2, size=8)
    learner, system = ours.build(shape, method=METHOD), ours.build(shape, method=METHOD).for_inference("float32")
    return {
        "training": partial(train, learner, samples, optimizer_of(learner)),
        "beam 5": partial(decode, system, samples, beam=5, length=LENGTH),
        "greedy": partial(decode, system, samples, beam=1, length=LENGTH),
    }


def rows(what: str, work: Callable[[], object], peak: float) -> list[Row]:
    """The parts that take 1 % or more, and the rate of the linear layers' products."""
    work()
    with profile(activities=[ProfilerActivity.CPU], with_flops=True) as found:
        work()
    operators = {event.key.removeprefix("aten::"): event for event in found.key_averages()}
    spent = {name: event.self_cpu_time_total for name, event in operators.items()}
    total = sum(spent.values())
    shares = {part: 100 * sum(spent.get(name, 0) for name in names) / total for part, names in PARTS.items()}
    shares["all else"] = 100 - sum(shares.values())
    table = [Row(f"{what}: {part}", "%", share) for part, share in shares.items() if share >= 1]
    products = [operators[name] for name in ("addmm", "mm") if name in operators]
    rate = sum(event.flops for event in products) / sum(event.self_cpu_time_total for event in products) / 1e3
    return [*table, Row(f"{what}: speed of those products", "GFLOP/s", rate, peak, "a product of 2048 x 2048")]


def peak_flops() -> float:
    """GFLOP/s of one large product."""
    left, right = torch.randn(2, FASTEST, FASTEST).unbind()
    took = min(seconds(partial(torch.mm, left, right)) for _ in range(5))
    return 2 * FASTEST**3 / took / 1e9
