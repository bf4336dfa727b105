"""The optimizer ``s2s_ft_adamw``: torch's fused AdamW, with parameters grouped by kind and by layer.

Biases, LayerNorms and relative positions do not decay, as in the published code of s2s-ft; the learning rate may
decrease from layer to layer towards the embeddings (Clark et al. 2020, ELECTRA, appendix B; Bao et al. 2022, BEiT,
appendix). The head may learn faster than all layers, which helps where the pretrained weights have none (our own;
measured in docs/encoders.md).
"""

import ast
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

import torch
from fairseq.dataclass import FairseqDataclass
from fairseq.optim import FairseqOptimizer, register_optimizer
from omegaconf import II
from torch import nn

from ..common.errors import UserError
from ..models.layers.transformer import Transformer

NAME = "s2s_ft_adamw"


class ParameterGroup(NamedTuple):
    """What the optimizer knows about a parameter, stored as its attribute ``param_group``.

    fairseq reserves that attribute for optimizers, and copies it to the float32 parameters of half-precision training.

    Attributes:
        above: number of layers above the one that the parameter belongs to.
        decays: whether weight decay applies.
        in_head: whether it belongs to the masked-LM head, the token table aside.
    """

    above: int
    decays: bool
    in_head: bool = False


def mark_parameters(transformer: Transformer) -> None:
    """Stores in every parameter the group that it belongs to."""
    for name, parameter in transformer.named_parameters():
        parameter.param_group = group_of(name, parameter, len(transformer.layers))  # type: ignore[attr-defined]


def group_of(name: str, parameter: nn.Parameter, layers: int) -> ParameterGroup:
    """The group of a parameter of the Transformer: below all layers, in one of them, or at the top.

    The token table counts as embeddings although the head uses it too; relative positions serve every layer, and count
    as the top.
    """
    part, *rest = name.split(".")
    above = {"embeddings": layers, "layers": layers - 1 - int(rest[0]) if part == "layers" else 0}.get(part, 0)
    return ParameterGroup(above, decays=parameter.dim() > 1 and part != "relative", in_head=part == "lm_head")


@dataclass
class AdamWOptions(FairseqDataclass):
    adam_betas: Any = field(default=(0.9, 0.999), metadata={"help": "decay rates of the two moments"})
    adam_eps: float = field(default=1e-8, metadata={"help": "added to the square root of the second moment"})
    weight_decay: float = field(
        default=0.01, metadata={"help": "decoupled weight decay; biases and LayerNorms do not decay"}
    )
    layer_decay: float = field(
        default=1.0,
        metadata={
            "help": "factor of the learning rate from a layer to the one below it, in (0, 1]: of L layers, the last "
            "one and the head learn at --lr, the first at --lr times this to the power L-1, the embeddings at --lr "
            "times this to the power L"
        },
    )
    head_lr_scale: float = field(
        default=1.0,
        metadata={
            "help": "factor of the learning rate of the masked-LM head, without the token table; more than 1 helps "
            "an encoder that was published without a head"
        },
    )
    lr: List[float] = II("optimization.lr")  # noqa: RUF009


def parse_betas(betas: Any) -> Tuple[float, float]:
    """Parses two numbers, however the command line or a configuration spells them.

    Raises:
        UserError: anything else, or a number outside [0, 1).

    >>> parse_betas("(0.9, 0.98)"), parse_betas([0.9, 0.999])
    ((0.9, 0.98), (0.9, 0.999))
    """
    try:
        first, second = (float(beta) for beta in ast.literal_eval(str(betas)))
    except (ValueError, SyntaxError, TypeError):
        first = second = -1.0
    if not (0 <= first < 1 and 0 <= second < 1):
        raise UserError(f"--adam-betas {betas}; expected two numbers in [0, 1), such as '(0.9, 0.999)'")
    return first, second


def check_options(cfg: AdamWOptions) -> None:
    """Raises UserError for values out of range."""
    if not 0 < cfg.layer_decay <= 1:
        raise UserError(f"--layer-decay is {cfg.layer_decay}; expected more than 0 and at most 1 (1: no decay)")
    if cfg.head_lr_scale <= 0:
        raise UserError(f"--head-lr-scale is {cfg.head_lr_scale}; expected more than 0 (1: as the last layer)")
    for flag, value in (("--weight-decay", cfg.weight_decay), ("--adam-eps", cfg.adam_eps)):
        if value < 0:
            raise UserError(f"{flag} is {value}; expected 0 or more")


@register_optimizer(NAME, dataclass=AdamWOptions)
class S2SFTAdamW(FairseqOptimizer):
    """AdamW (Loshchilov & Hutter 2019) with a learning rate and a weight decay per group.

    A fairseq scheduler sets the rate of the top group; every other group keeps its fraction ``lr_scale`` of it.

    Args:
        cfg: the options.
        params: the parameters to train, marked by :func:`mark_parameters`.

    Raises:
        UserError: an option out of range, or parameters in half precision or flattened into one.
    """

    def __init__(self, cfg: AdamWOptions, params: Iterable[nn.Parameter]) -> None:
        super().__init__(cfg)
        check_options(cfg)
        parameters = list(params)
        check_parameters(parameters, grouped=cfg.weight_decay > 0 or cfg.layer_decay < 1 or cfg.head_lr_scale != 1)
        self._optimizer = build_adamw(grouped(parameters, cfg), **self.optimizer_config)
        self.set_lr(self.optimizer_config["lr"])

    @property
    def optimizer_config(self) -> Dict[str, Any]:
        """The options that all groups share."""
        return {"lr": self.cfg.lr[0], "betas": parse_betas(self.cfg.adam_betas), "eps": self.cfg.adam_eps}

    @property
    def supports_flat_params(self) -> bool:
        """Whether parameters may be flattened into one: the update is elementwise, so without groups they may."""
        return True

    def get_lr(self) -> float:
        """The learning rate of the top group."""
        top = self.param_groups[0]
        return top["lr"] / top["lr_scale"]

    def set_lr(self, lr: float) -> None:
        """Sets the learning rate of the top group, and those of the others in proportion."""
        for group in self.param_groups:
            group["lr"] = lr * group["lr_scale"]

    def load_state_dict(self, state_dict: Dict[str, Any], optimizer_overrides: Optional[Dict[str, Any]] = None) -> None:
        """Loads the moments from a checkpoint; the options remain those of this run.

        Raises:
            UserError: the checkpoint's run trained other parameters.
        """
        own = self.optimizer.state_dict()["param_groups"]
        if [len(group["params"]) for group in own] != [len(group["params"]) for group in state_dict["param_groups"]]:
            raise UserError(
                "the checkpoint's optimizer trained other parameters than this run (--freeze-embeddings, "
                "--freeze-layers, --lora-rank, --adapter-dim); use the same flags, or --reset-optimizer"
            )
        super().load_state_dict({"state": state_dict["state"], "param_groups": own}, optimizer_overrides)


def check_parameters(parameters: Iterable[nn.Parameter], *, grouped: bool) -> None:
    """Raises UserError for parameters that fairseq's half-precision wrappers made unusable."""
    for parameter in parameters:
        if parameter.dtype in (torch.float16, torch.bfloat16):
            raise UserError(
                f"--optimizer {NAME} updates float32, but found {parameter.dtype}; leave --memory-efficient-fp16 or "
                "--memory-efficient-bf16 out, or use --optimizer adam"
            )
        if grouped and not hasattr(parameter, "param_group"):
            raise UserError(
                f"--optimizer {NAME} treats layers and biases differently, but --fp16 joins them into one parameter; "
                "add --fp16-no-flatten-grads, or set --weight-decay 0 --layer-decay 1 --head-lr-scale 1"
            )


def grouped(parameters: Iterable[nn.Parameter], cfg: AdamWOptions) -> List[Dict[str, Any]]:
    """torch's parameter groups, from the top down, each with its weight decay and fraction of the learning rate.

    The head has groups of its own only if its rate differs, so that runs without that option resume as they began.
    """

    def key(parameter: nn.Parameter) -> ParameterGroup:
        group = getattr(parameter, "param_group", ParameterGroup(above=0, decays=True))
        return group._replace(in_head=group.in_head and cfg.head_lr_scale != 1)

    groups = []
    for group, members in groupby(sorted(parameters, key=key), key):
        decay = cfg.weight_decay if group.decays else 0.0
        scale = cfg.head_lr_scale if group.in_head else cfg.layer_decay**group.above
        groups.append({"params": list(members), "weight_decay": decay, "lr_scale": scale})
    return groups


def build_adamw(groups: List[Dict[str, Any]], **options: Any) -> torch.optim.AdamW:
    """torch's AdamW: one kernel for a whole group where the device has it, else one operation after another."""
    fused = all(has_fused_kernel(device) for device in {p.device for group in groups for p in group["params"]})
    return torch.optim.AdamW(groups, fused=fused, foreach=not fused, **options)


def has_fused_kernel(device: torch.device) -> bool:
    """Tries whether torch can update all parameters of a group at once on a device."""
    number = nn.Parameter(torch.zeros(1, device=device))
    number.grad = torch.zeros_like(number)
    try:
        torch.optim.AdamW([number], fused=True).step()
    except RuntimeError:
        return False
    return True
