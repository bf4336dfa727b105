"""Small trained modules beside frozen weights: low-rank matrices (LoRA) and bottleneck adapters.

Each is a submodule of the linear layer whose output it changes, and runs as its forward hook: the pretrained weights
keep their names and modules, so initialization, export and quantization need not know about adapters.
"""

import logging
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional

import torch
from fairseq.dataclass import FairseqDataclass
from torch import Tensor, nn
from torch.nn.functional import gelu, linear
from torch.utils.hooks import RemovableHandle

from ..common.errors import UserError
from .layers.transformer import Transformer

logger = logging.getLogger(__name__)

LINEARS = {
    "query": "attention.query",
    "key": "attention.key",
    "value": "attention.value",
    "output": "attention.output",
    "ffn_in": "ffn_in",
    "ffn_out": "ffn_out",
}
"""The linear layers of a Transformer layer, by their names in ``--lora-targets``."""

SUBLAYER_ENDS = ("output", "ffn_out")
"""The last linear layer of each sub-layer: bottleneck adapters follow it."""

LORA, BOTTLENECK = "lora", "bottleneck"


@dataclass
class AdapterOptions(FairseqDataclass):
    lora_rank: int = field(
        default=0, metadata={"help": "rank of low-rank matrices (LoRA), trained beside frozen weights; 0: none"}
    )
    lora_alpha: Optional[float] = field(
        default=None, metadata={"help": "scales the low-rank product by alpha/rank (default: the rank, so by 1)"}
    )
    lora_targets: str = field(
        default="query,value",
        metadata={"help": f"linear layers that get low-rank matrices, out of {','.join(LINEARS)}"},
    )
    adapter_dim: int = field(
        default=0,
        metadata={"help": "width of bottleneck adapters, trained after each sub-layer of frozen weights; 0: none"},
    )
    save_adapter_only: bool = field(
        default=False,
        metadata={"help": "leave the frozen weights out of checkpoints; loading one reads --pretrained again"},
    )
    adapter_base_family: Optional[str] = field(
        default=None, metadata={"help": "(set by the program) family of the pretrained weights"}
    )
    adapter_trains_head: bool = field(
        default=False, metadata={"help": "(set by the program) the pretrained weights had no complete head"}
    )


BASE = ("adapter_base_family", "adapter_trains_head")
"""The options that record, for loading and resuming, which pretrained weights the adapters belong to."""


def has_adapters(options: AdapterOptions) -> bool:
    """Whether adapters of either kind are trained, so that other weights are frozen."""
    return getattr(options, "lora_rank", 0) > 0 or getattr(options, "adapter_dim", 0) > 0  # not in older checkpoints


def check_adapters(options: AdapterOptions, *, pretrained: Optional[str], free_layers: int) -> None:
    """Raises UserError for options that make no sense, on their own or together.

    Args:
        options: the ones to check.
        pretrained: the value of ``--pretrained``.
        free_layers: number of layers that ``--freeze-layers`` does not freeze.
    """
    for flag, value in (("--lora-rank", options.lora_rank), ("--adapter-dim", options.adapter_dim)):
        if value < 0:
            raise UserError(f"{flag} is {value}; expected a positive number, or 0 for none")
    if options.lora_alpha is not None and (options.lora_alpha <= 0 or not options.lora_rank):
        raise UserError(f"--lora-alpha {options.lora_alpha}: expected a positive number, together with --lora-rank")
    if options.save_adapter_only and not has_adapters(options):
        raise UserError("--save-adapter-only without adapters; add --lora-rank or --adapter-dim, or leave it out")
    if has_adapters(options) and not pretrained:
        raise UserError(
            "--lora-rank and --adapter-dim adapt pretrained weights; add --pretrained DIR, for a checkpoint the "
            "directory that python -m s2sft_fairseq.export_pretrained makes of it"
        )
    if has_adapters(options) and not free_layers:
        raise UserError("--freeze-layers leaves no layer for --lora-rank or --adapter-dim; lower it")
    targets(options)


def targets(options: AdapterOptions) -> List[str]:
    """The names in ``--lora-targets``; raises UserError if one is not in LINEARS."""
    names = options.lora_targets.split(",")
    if unknown := [name for name in names if name not in LINEARS]:
        raise UserError(f"--lora-targets has {unknown[0]!r}; expected some of {','.join(LINEARS)}")
    return names


def scale_of(options: AdapterOptions) -> float:
    """The factor alpha/rank of the low-rank matrices' product; 0 if there are none.

    >>> scale_of(AdapterOptions(lora_rank=8, lora_alpha=16))
    2.0
    """
    return (options.lora_alpha or options.lora_rank) / options.lora_rank if options.lora_rank else 0.0


class Adapter(nn.Module):
    """A submodule and forward hook of a linear layer ``base``: called with that layer, its inputs and its output."""

    handle: RemovableHandle

    def attach(self, base: nn.Linear, name: str) -> None:
        """Makes this a submodule of a linear layer, under ``name``, and lets it change the layer's output."""
        base.add_module(name, self)
        self.handle = base.register_forward_hook(self)

    def detach(self, base: nn.Linear, name: str) -> None:
        """Restores the layer to what it was before :meth:`attach`."""
        self.handle.remove()
        delattr(base, name)


class LowRank(Adapter):
    """Adds s·x·downᵀ·upᵀ to a linear layer's output (Hu et al. 2022, section 4.1); ``up`` starts at zero.

    Attributes:
        down: [r, in].
        up: [out, r].
    """

    def __init__(self, base: nn.Linear, rank: int, *, scale: float) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.empty(rank, base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))
        self.scale = scale
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, base: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        """The hook: inputs ([..., in],) and output [..., out] of the layer → [..., out]."""
        return torch.add(output, linear(linear(inputs[0], self.down), self.up), alpha=self.scale)

    @torch.no_grad()
    def product(self) -> Tensor:
        """The change of the layer's weight that would have the same effect: [out, in], float32."""
        return self.scale * self.up.float() @ self.down.float()


class Bottleneck(Adapter):
    """y + up(gelu(down(y))) after a sub-layer, before its residual sum (Houlsby et al. 2019, section 2.1).

    ``up`` starts at zero, so the adapted model starts as the pretrained one.
    """

    def __init__(self, base: nn.Linear, width: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(base.out_features, width), nn.Linear(width, base.out_features)
        nn.init.normal_(self.down.weight, std=0.02)
        for zeros in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zeros)

    def forward(self, base: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        """The hook: output [..., out] of the layer → [..., out]."""
        return output + self.up(gelu(self.down(output)))


def apply_adapters(transformer: Transformer, options: AdapterOptions, *, frozen_layers: int = 0) -> None:
    """Freezes all weights and adds adapters to all layers but the lowest ``frozen_layers``.

    A head that was missing from the pretrained weights was initialized at random, and is trained, too.
    """
    transformer.requires_grad_(False)
    transformer.lm_head.requires_grad_(options.adapter_trains_head)
    for layer in list(transformer.layers)[frozen_layers:]:
        adapt(layer, options)


def adapt(layer: nn.Module, options: AdapterOptions) -> None:
    """Adds the adapters to one layer; where both kinds meet, the bottleneck follows the low-rank matrices."""
    for name in targets(options) if options.lora_rank else ():
        base = linear_of(layer, name)
        LowRank(base, options.lora_rank, scale=scale_of(options)).attach(base, LORA)
    for name in SUBLAYER_ENDS if options.adapter_dim else ():
        base = linear_of(layer, name)
        Bottleneck(base, options.adapter_dim).attach(base, BOTTLENECK)


def linear_of(layer: nn.Module, name: str) -> nn.Linear:
    """A linear layer of a Transformer layer, by its name in LINEARS."""
    base = layer.get_submodule(LINEARS[name])
    assert isinstance(base, nn.Linear)
    return base


def is_adapter(name: str) -> bool:
    """Whether a tensor belongs to an adapter, by its name.

    >>> is_adapter("transformer.layers.0.attention.query.lora.up"), is_adapter("transformer.layers.0.ffn_in.weight")
    (True, False)
    """
    return not {LORA, BOTTLENECK}.isdisjoint(name.split("."))


def with_fresh_adapters(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """The tensors of a checkpoint for a model that may have more adapters, which stay as they were initialized.

    Args:
        state: those of the checkpoint.
        own: those of the model.

    Raises:
        UserError: the checkpoint has adapters that the model does not have in this shape.
    """
    foreign = [name for name in state if is_adapter(name) and (name not in own or own[name].shape != state[name].shape)]
    if foreign:
        raise UserError(
            f"the checkpoint has {len(foreign)} adapter tensors that do not fit the model, such as {foreign[0]}; "
            "repeat the --lora-rank, --lora-targets and --adapter-dim of its training, or merge low-rank matrices into "
            "the weights first: python -m s2sft_fairseq.merge_adapters"
        )
    fresh = {name: tensor for name, tensor in own.items() if is_adapter(name) and name not in state}
    if fresh:
        logger.info(
            f"the checkpoint gives all weights but those of {len(fresh)} adapter tensors, which are fresh, such as "
            f"{min(fresh)}"
        )
    return {**state, **fresh}


def merge(transformer: Transformer) -> None:
    """Adds the low-rank matrices' products to the weights beside them and removes the matrices, for inference."""
    for base in [module for module in transformer.modules() if isinstance(module, nn.Linear)]:
        adapter = getattr(base, LORA, None)
        if isinstance(adapter, LowRank):
            base.weight.data += adapter.product().to(base.weight.dtype)
            adapter.detach(base, LORA)
