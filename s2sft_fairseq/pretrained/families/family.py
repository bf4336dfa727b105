"""The definition of a family of pretrained checkpoints: tables of names, used for both import and export."""

import re
from dataclasses import dataclass
from typing import Any, Callable, Collection, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

from ...common.registry import registrar
from ...models.layers.parameter_names import POSITIONS, SEGMENTS, TOKENS, TURNS

Config = Mapping[str, Any]


def model_type(config: Config) -> str:
    """The family's name in config.json in its usual spelling, ``xlm-roberta``; '' if there is none.

    >>> model_type({"model_type": "XLM_RoBERTa"}), model_type({})
    ('xlm-roberta', '')
    """
    return str(config.get("model_type") or "").lower().replace("_", "-")


class Codec(NamedTuple):
    """How our tensors are stored in a published one; reading and writing are inverse to each other.

    Attributes:
        read: a published tensor → ours.
        write: ours → the published tensor.
    """

    read: Callable[[Tensor], Sequence[Tensor]]
    write: Callable[[Sequence[Tensor]], Tensor]


SAME = Codec(lambda tensor: [tensor], lambda ours: ours[0])
TRANSPOSED = Codec(lambda tensor: [tensor.t().contiguous()], lambda ours: ours[0].t().contiguous())
FLAT = Codec(lambda tensor: [tensor.flatten()], lambda ours: ours[0].reshape(1, 1, -1))
"""A bias that is published as [1, 1, H]."""
FUSED = Codec(lambda tensor: tensor.chunk(3), lambda ours: torch.cat(list(ours)))
"""Query, key and value in a single tensor, in this order."""


def without_first(rows: int) -> Codec:
    """A table whose first rows are not used for positions (RoBERTa's padding); they are written as zeros."""
    return Codec(
        lambda table: [table[rows:]],
        lambda ours: torch.cat([ours[0].new_zeros(rows, ours[0].size(1)), ours[0]]),
    )


class Rule(NamedTuple):
    """One published tensor, or one per layer (``{n}`` is the layer's number), and our names for its content."""

    theirs: str
    ours: Tuple[str, ...]
    codec: Codec = SAME

    def match(self, published: str) -> Optional[Tuple[str, ...]]:
        """Our names for a published tensor; None if this rule does not match it."""
        found = re.fullmatch(re.escape(self.theirs).replace(r"\{n\}", r"(?P<n>\d+)"), published)
        return None if found is None else tuple(name.format(**found.groupdict()) for name in self.ours)


def same(theirs: str, ours: str) -> List[Rule]:
    """Rules for tensors that differ only in name; a name that ends in a dot stands for a weight and a bias."""
    parts = ("weight", "bias") if theirs.endswith(".") else ("",)
    return [Rule(theirs + part, (ours + part,)) for part in parts]


def table(*names: Tuple[str, str]) -> Tuple[Rule, ...]:
    """The rules for pairs (their name, our name)."""
    return tuple(rule for theirs, ours in names for rule in same(theirs, ours))


class Setting(NamedTuple):
    """A size or number in the published configuration, and the model option that takes it.

    Attributes:
        theirs: the key in config.json.
        ours: the field of the model's options.
        default: used if config.json does not have it; None: determined from the tensors.
        offset: number of rows that the published number includes and ours does not.
        measured: determine it from the tensors even if config.json has it.
    """

    theirs: str
    ours: str
    default: Any = None
    offset: int = 0
    measured: bool = False


def with_own(settings: Sequence[Setting], *own: Setting) -> Tuple[Setting, ...]:
    """Another family's settings, where those for the same options are replaced by a family's own."""
    filled = {setting.ours for setting in own}
    return (*(setting for setting in settings if setting.ours not in filled), *own)


@dataclass(frozen=True)
class Family:
    """A family of checkpoints.

    Attributes:
        name: the value of ``--pretrained-type``.
        prefix: the prefix of its tensors' names; models saved without a head may omit it.
        rules: its tensors. Several rules may produce the same tensor of ours, for the names of different releases.
        settings: its configuration.
        signs: recognizes the family from the configuration and the tensors' names; None: recognized by the prefix.
        refines: the family of which it is a special case; it takes precedence over that one.
        old_names: patterns of names in earlier releases, and their replacements as spelled in the rules.
        repeated: pattern of tensors that only repeat others.
        model_type: its name in config.json.
        architecture: the class of ``transformers`` that opens it as a masked language model.
        exported_as: the family in whose format it is exported; '': its own.
        computes: equal for families whose layers and positions compute the same from the same tensors.
    """

    name: str
    prefix: str
    rules: Tuple[Rule, ...]
    settings: Tuple[Setting, ...]
    signs: Optional[Callable[[Config, Collection[str]], bool]] = None
    refines: str = ""
    old_names: Tuple[Tuple[str, str], ...] = ()
    repeated: str = r"(?!)"
    model_type: str = ""
    architecture: str = ""
    exported_as: str = ""
    computes: str = "bert"

    def fits(self, config: Config, names: Collection[str]) -> bool:
        """Whether a checkpoint is recognized as one of this family."""
        if self.signs is not None:
            return self.signs(config, names)
        return any(name.startswith(self.prefix) for name in names)

    def lookup(self, published: str) -> Optional[Tuple[Rule, Tuple[str, ...]]]:
        """The rule that matches a published tensor, and our names for it; None if the Transformer lacks it."""
        name = self.modern(published)
        for candidate in (name, self.prefix + name):
            for rule in self.rules:
                ours = rule.match(candidate)
                if ours is not None:
                    return rule, ours
        return None

    def repeats(self, published: str) -> bool:
        """Whether a published tensor only repeats others."""
        return re.fullmatch(self.repeated, self.modern(published)) is not None

    def modern(self, published: str) -> str:
        """A published name, as spelled in the rules."""
        for old, new in self.old_names:
            published = re.sub(old, new, published)
        return published

    def options(self, config: Config, shapes: Mapping[str, Sequence[int]]) -> Dict[str, Any]:
        """The model options that a configuration determines; missing ones are determined from our tensors' shapes."""
        found = measure(shapes)
        for setting in self.settings:
            value = None if setting.measured else config.get(setting.theirs)
            if value is not None:
                found[setting.ours] = value - setting.offset if setting.offset else value
            elif setting.default is not None:
                found[setting.ours] = setting.default
        return found

    def config(self, options: Mapping[str, Any]) -> Dict[str, Any]:
        """The published configuration of a model: the inverse of :meth:`options`."""
        published = {"model_type": self.model_type, "architectures": [self.architecture]}
        for setting in self.settings:
            value = options[setting.ours]
            published[setting.theirs] = value + setting.offset if setting.offset else value
        return published

    def publish(self, tensors: Mapping[str, Tensor]) -> Dict[str, Tensor]:
        """Our tensors under published names: the inverse of reading."""
        layers = 1 + max(int(found[1]) for found in map(LAYER.match, tensors) if found)
        published: Dict[str, Tensor] = {}
        written = set()
        for rule in self.rules:
            for n in range(layers if "{n}" in rule.theirs else 1):
                ours = [name.format(n=n) for name in rule.ours]
                if all(name in tensors and name not in written for name in ours):
                    published[rule.theirs.format(n=n)] = rule.codec.write([tensors[name] for name in ours])
                    written.update(ours)
        assert written == set(tensors), f"{self.name} has no name for {set(tensors) - written}"
        return published


FAMILIES: Dict[str, Family] = {}


def register_family(family: Family) -> None:
    """Registers a family as a value of ``--pretrained-type``, under its own name."""
    registrar(FAMILIES, "family")(family.name)(family)


LAYER = re.compile(r"layers\.(\d+)\.")


def measure(shapes: Mapping[str, Sequence[int]]) -> Dict[str, Any]:
    """The sizes of a model, determined from its tensors' shapes."""
    layers = {found[1] for found in map(LAYER.match, shapes) if found}
    found = {
        "encoder_layers": len(layers),
        "type_vocab_size": shapes[SEGMENTS][0] if SEGMENTS in shapes else 0,
        "turn_rows": shapes[TURNS][0] if TURNS in shapes else 0,
        "no_key_bias": "layers.0.attention.key.bias" not in shapes,
        "embedding_dim": shapes[TOKENS][1],
    }
    for option, name, side in (
        ("position_rows", POSITIONS, 0),
        ("encoder_embed_dim", "layers.0.ffn_in.weight", 1),
        ("encoder_ffn_embed_dim", "layers.0.ffn_in.weight", 0),
    ):
        if name in shapes:
            found[option] = shapes[name][side]
    return found
