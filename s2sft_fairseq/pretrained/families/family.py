"""What a family of pretrained checkpoints has to say: tables of names, which are read in both directions."""

import re
from dataclasses import dataclass
from typing import Any, Callable, Collection, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

from ...common.registry import registrar
from ...models.layers.parameter_names import POSITIONS, SEGMENTS, TOKENS, TURNS

Config = Mapping[str, Any]


class Codec(NamedTuple):
    """How a published tensor holds ours; reading and writing undo each other.

    Attributes:
        read: a published tensor → ours.
        write: ours → the published tensor.
    """

    read: Callable[[Tensor], Sequence[Tensor]]
    write: Callable[[Sequence[Tensor]], Tensor]


SAME = Codec(lambda tensor: [tensor], lambda ours: ours[0])
TRANSPOSED = Codec(lambda tensor: [tensor.t().contiguous()], lambda ours: ours[0].t().contiguous())
FLAT = Codec(lambda tensor: [tensor.flatten()], lambda ours: ours[0].reshape(1, 1, -1))
"""A bias that was published as [1, 1, H]."""
FUSED = Codec(lambda tensor: tensor.chunk(3), lambda ours: torch.cat(list(ours)))
"""Query, key and value in one tensor, in this order."""


def without_first(rows: int) -> Codec:
    """A table whose first rows belong to no position (RoBERTa's padding); they are written as zeros."""
    return Codec(
        lambda table: [table[rows:]],
        lambda ours: torch.cat([ours[0].new_zeros(rows, ours[0].size(1)), ours[0]]),
    )


class Rule(NamedTuple):
    """One published tensor, or one a layer (``{n}`` is its number), and what it holds under our names."""

    theirs: str
    ours: Tuple[str, ...]
    codec: Codec = SAME

    def match(self, published: str) -> Optional[Tuple[str, ...]]:
        """Our names of a published tensor; None: this rule is not about it."""
        found = re.fullmatch(re.escape(self.theirs).replace(r"\{n\}", r"(?P<n>\d+)"), published)
        return None if found is None else tuple(name.format(**found.groupdict()) for name in self.ours)


def same(theirs: str, ours: str) -> List[Rule]:
    """Rules for tensors that only differ in name; a name that ends in a dot stands for a weight and a bias."""
    parts = ("weight", "bias") if theirs.endswith(".") else ("",)
    return [Rule(theirs + part, (ours + part,)) for part in parts]


def table(*names: Tuple[str, str]) -> Tuple[Rule, ...]:
    """The rules of pairs (their name, our name)."""
    return tuple(rule for theirs, ours in names for rule in same(theirs, ours))


class Setting(NamedTuple):
    """A size or number in the published configuration, and the model option that takes it.

    Attributes:
        theirs: the key in config.json.
        ours: the field of the model's options.
        default: when config.json lacks it; None: the size of the tensors decides.
        offset: rows that the published number counts and ours does not.
        measured: whether the tensors know better than config.json.
    """

    theirs: str
    ours: str
    default: Any = None
    offset: int = 0
    measured: bool = False


def with_own(settings: Sequence[Setting], *own: Setting) -> Tuple[Setting, ...]:
    """The settings of another family, of which those that fill the same options give way to a family's own."""
    filled = {setting.ours for setting in own}
    return (*(setting for setting in settings if setting.ours not in filled), *own)


@dataclass(frozen=True)
class Family:
    """A family of checkpoints.

    Attributes:
        name: the value of ``--pretrained-type``.
        prefix: what its tensors' names begin with; a model saved without a head may lack it.
        rules: its tensors. Several may lead to one of ours: spellings of different releases.
        settings: its configuration.
        signs: tells the family by its configuration and tensors' names; None: by the prefix.
        refines: the family that it is a special case of, and from which it must be told.
        old_names: parts of names, as earlier releases spelled them, and as they are spelled in the rules.
        repeated: names of tensors that only repeat others.
        model_type: what config.json calls it.
        architecture: the class of ``transformers`` that opens it as a masked language model.
        exported_as: the family in whose form it is written; '': its own.
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

    def fits(self, config: Config, names: Collection[str]) -> bool:
        """Whether a checkpoint shows that it is of this family."""
        if self.signs is not None:
            return self.signs(config, names)
        return any(name.startswith(self.prefix) for name in names)

    def lookup(self, published: str) -> Optional[Tuple[Rule, Tuple[str, ...]]]:
        """The rule of a published tensor, and our names of it; None: the Transformer has no place for it."""
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
        """A published name as the rules spell it."""
        for old, new in self.old_names:
            published = re.sub(old, new, published)
        return published

    def options(self, config: Config, shapes: Mapping[str, Sequence[int]]) -> Dict[str, Any]:
        """The model options that a configuration decides; what it does not say is measured on our tensors."""
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
    """Makes a family a value of ``--pretrained-type``, under its own name."""
    registrar(FAMILIES, "family")(family.name)(family)


LAYER = re.compile(r"layers\.(\d+)\.")


def measure(shapes: Mapping[str, Sequence[int]]) -> Dict[str, Any]:
    """Sizes of the model that its tensors show."""
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
