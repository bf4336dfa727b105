"""Weights in the precision of inference: float32, bfloat16, or, for linear layers on a CPU, eight-bit integers."""

import warnings
from typing import Any, Callable, Dict

import torch
from torch import nn

from ..common.errors import UserError
from .layers.transformer import Transformer

FLOAT16_ON_CPU = "--fp16 needs a GPU and found a CPU; leave --fp16 out"
"""Reported when training starts, and when weights that became float16 in another way are used."""

PAGE = 1024
"""Float32 numbers in a page of memory: columns this far apart would share one place in the CPU's first-level cache."""


def check_precision(transformer: Transformer) -> None:
    """Raises UserError for float16 on a CPU, where it is slow and overflows."""
    weight = transformer.embeddings.token.weight
    if weight.dtype is torch.float16 and weight.device.type == "cpu":
        raise UserError(FLOAT16_ON_CPU)


def inference_precision(cfg: Any) -> str:
    """The precision that fairseq's configuration asks for: that of ``--inference-precision``, or ``--bf16``.

    Raises:
        UserError: the two contradict each other.
    """
    chosen = str(cfg.task.inference_precision)
    if not cfg.common.bf16 or chosen == "bfloat16":
        return chosen
    if chosen != "float32":
        raise UserError(f"--bf16 and --inference-precision {chosen} are two precisions; use only one of them")
    return "bfloat16"


def to_float32(transformer: Transformer) -> None:
    """Keeps the weights; on a CPU, stores those of layers whose output is no wider than their input by columns.

    The few rows of a decoding step are then multiplied up to a third faster.
    """
    if transformer.embeddings.token.weight.device.type != "cpu":
        return
    for layer in transformer.modules():
        if isinstance(layer, nn.Linear) and layer.out_features <= min(layer.in_features, PAGE - 1):
            layer.weight.data = layer.weight.data.t().contiguous().t()


def to_bfloat16(transformer: Transformer) -> None:
    """Rounds all weights to bfloat16; fast where the device computes in it (AMX or AVX512-BF16, most GPUs)."""
    transformer.bfloat16()


def to_int8(transformer: Transformer) -> None:
    """Quantizes the weights of linear layers to eight bits, with one scale per output, and their inputs dynamically.

    The token table is used twice: unchanged for the embeddings, quantized as the output layer.

    Raises:
        UserError: the model is not on a CPU, or torch has no torch.ao.
    """
    table = transformer.embeddings.token.weight
    if table.device.type != "cpu":
        raise UserError(f"--inference-precision int8 needs a CPU, but found {table.device.type}; use bfloat16")
    transformer.output = nn.Linear(table.size(1), table.size(0))
    transformer.output.weight, transformer.output.bias = table, transformer.lm_head.bias
    quantize_linear_layers(transformer)


def quantize_linear_layers(transformer: Transformer) -> None:
    """Replaces the linear layers by torch.ao's quantized ones; raises UserError if torch no longer has torch.ao.

    Its successor torchao (0.18) rounds half as coarsely, but on a CPU with AVX2 a layer of 768 takes 13 to 57 times as
    long (compiled: 38 to 43; float32: 1.1 to 3.6), and it fails on inputs without rows, such as the output layer gets
    for a source.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.ao warns that it will move
            from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

            quantize_dynamic(transformer, {nn.Linear: per_channel_dynamic_qconfig}, dtype=torch.qint8, inplace=True)
    except ImportError:
        found = f"torch {torch.__version__} no longer has"
        raise UserError(f"--inference-precision int8 needs torch.ao, which {found}; use bfloat16") from None


PRECISIONS: Dict[str, Callable[[Transformer], None]] = {
    "float32": to_float32,
    "bfloat16": to_bfloat16,
    "int8": to_int8,
}
"""The values of ``--inference-precision``."""
