"""Small trained parts beside frozen weights: low-rank matrices (LoRA) and bottleneck adapters.

Each is a submodule of the linear layer whose output it changes, and runs as its forward hook: the pretrained weights
keep their names and their modules, so filling, exporting and rounding need not know of adapters.
"""

from dataclasses import dataclass, field
from typing import Any, List, Optional

import torch
from fairseq.dataclass import FairseqDataclass
from torch import Tensor, nn
from torch.nn.functional import gelu, linear
from torch.utils.hooks import RemovableHandle

from ..common.errors import UserError
from .layers.transformer import Transformer

LINEARS = {
    "query": "attention.query",
    "key": "attention.key",
    "value": "attention.value",
    "output": "attention.output",
    "ffn_in": "ffn_in",
    "ffn_out": "ffn_out",
}
"""The linear layers of a Transformer layer, by what ``--lora-targets`` calls them."""

SUBLAYER_ENDS = ("output", "ffn_out")
"""The last linear layer of either sub-layer: bottleneck adapters sit behind it."""

LORA, BOTTLENECK = "lora", "bottleneck"


@dataclass
class AdapterOptions(FairseqDataclass):
    lora_rank: int = field(
        default=0, metadata={"help": "train low-rank matrices beside frozen weights (LoRA), of this rank; 0: none"}
    )
    lora_alpha: Optional[float] = field(
        default=None, metadata={"help": "their product counts alpha/rank times (default: the rank, so once)"}
    )
    lora_targets: str = field(
        default="query,value",
        metadata={"help": f"linear layers that get them, of {','.join(LINEARS)}"},
    )
    adapter_dim: int = field(
        default=0,
        metadata={"help": "train bottleneck adapters of this width behind each sub-layer of frozen weights; 0: none"},
    )
    save_adapter_only: bool = field(
        default=False,
        metadata={"help": "leave the frozen weights out of checkpoints; loading one reads --pretrained again"},
    )
    adapter_base_family: Optional[str] = field(
        default=None, metadata={"help": "(set by the program) family of the pretrained weights"}
    )
    adapter_trains_head: bool = field(
        default=False, metadata={"help": "(set by the program) the pretrained weights had no whole head"}
    )


BASE = ("adapter_base_family", "adapter_trains_head")
"""The options by which loading and resuming know the pretrained weights below adapters."""


def has_adapters(options: AdapterOptions) -> bool:
    """Whether adapters are trained, and nothing else."""
    return getattr(options, "lora_rank", 0) > 0 or getattr(options, "adapter_dim", 0) > 0  # not in older checkpoints


def check_adapters(options: AdapterOptions, *, pretrained: Optional[str], free_layers: int) -> None:
    """Raises UserError for options that make no sense, or not together.

    Args:
        options: to check.
        pretrained: the value of ``--pretrained``.
        free_layers: how many layers are not frozen by ``--freeze-layers``.
    """
    for flag, value in (("--lora-rank", options.lora_rank), ("--adapter-dim", options.adapter_dim)):
        if value < 0:
            raise UserError(f"{flag} is {value}; expected a positive number, or 0 for none")
    if options.lora_alpha is not None and (options.lora_alpha <= 0 or not options.lora_rank):
        raise UserError(f"--lora-alpha {options.lora_alpha}: expected a positive number, beside --lora-rank")
    if options.save_adapter_only and not has_adapters(options):
        raise UserError("--save-adapter-only without adapters; add --lora-rank or --adapter-dim, or leave it out")
    if has_adapters(options) and not pretrained:
        raise UserError("--lora-rank and --adapter-dim adapt pretrained weights; add --pretrained DIR")
    if has_adapters(options) and not free_layers:
        raise UserError("--freeze-layers leaves no layer for --lora-rank or --adapter-dim; lower it")
    targets(options)


def targets(options: AdapterOptions) -> List[str]:
    """The names of ``--lora-targets``; raises UserError if they are not those of linear layers."""
    names = options.lora_targets.split(",")
    if unknown := [name for name in names if name not in LINEARS]:
        raise UserError(f"--lora-targets has {unknown[0]!r}; expected some of {','.join(LINEARS)}")
    return names


def scale_of(options: AdapterOptions) -> float:
    """How often the product of the low-rank matrices counts, alpha/rank."""
    return (options.lora_alpha or options.lora_rank) / options.lora_rank if options.lora_rank else 0.0


class Adapter(nn.Module):
    """A hook of the linear layer ``base`` that it is a submodule of: called with it, its inputs and its output."""

    handle: RemovableHandle

    def attach(self, base: nn.Linear, name: str) -> None:
        """Makes this a part of a linear layer, and lets it change the layer's output."""
        base.add_module(name, self)
        self.handle = base.register_forward_hook(self)

    def detach(self, base: nn.Linear, name: str) -> None:
        """Leaves the layer as it was before."""
        self.handle.remove()
        delattr(base, name)


class LowRank(Adapter):
    """Adds s·x·downᵀ·upᵀ to a linear layer's output (Hu et al. 2022, section 4.1); ``up`` begins at zero.

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
        """What a weight beside which this stands would have to be more, [out, in], float32."""
        return self.scale * self.up.float() @ self.down.float()


class Bottleneck(Adapter):
    """y + up(gelu(down(y))) behind a sub-layer, before its residual sum (Houlsby et al. 2019, section 2.1).

    ``up`` begins at zero, so that the adapted model begins as the pretrained one.
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
    """Freezes all weights and puts adapters into the layers that are not to be left as they are.

    A head that the pretrained weights lacked was drawn at random, and is trained too.
    """
    transformer.requires_grad_(False)
    transformer.lm_head.requires_grad_(options.adapter_trains_head)
    for layer in list(transformer.layers)[frozen_layers:]:
        adapt(layer, options)


def adapt(layer: nn.Module, options: AdapterOptions) -> None:
    """Puts the adapters into one layer; where both kinds meet, the bottleneck comes behind."""
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


def merge(transformer: Transformer) -> None:
    """Adds the low-rank matrices to the weights beside them and takes them out, for inference."""
    for base in [module for module in transformer.modules() if isinstance(module, nn.Linear)]:
        adapter = getattr(base, LORA, None)
        if isinstance(adapter, LowRank):
            base.weight.data += adapter.product().to(base.weight.dtype)
            adapter.detach(base, LORA)
