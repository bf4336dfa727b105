"""The shared Transformer: BERT's encoder over slots, whatever the objective, and its masked-LM head.

Post-LayerNorm, learned absolute positions, dropout after the embeddings' LayerNorm and on both sub-layers' outputs
before their residual sums (Devlin et al. 2019; paper 000, section 2). Sizes switch on what only some families have:
a projection of narrow embeddings, relative positions, a table of turns.
"""

from dataclasses import dataclass
from typing import Optional, Tuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

from ...objectives.slots import Slots
from ...objectives.visibility import visible
from .attention import Pass
from .chunked_cross_entropy import linear_cross_entropy
from .dropout import Dropout
from .heads import HEADS, Pooler
from .relative_position import RelativePosition


@dataclass
class TransformerShape:
    """Sizes of the tables and layers, and the dropout rates.

    Attributes:
        embedding_size: width of the tables, E; if it is not the hidden size, embeddings are projected.
        segments: rows of the segment table; 0: no such table.
        turns: rows of the table of dialogue turns; 0: no such table.
        key_bias: whether keys have a bias (it cancels out in the softmax).
        relative_buckets: number of buckets of relative positions; 0: none.
        relative_distance: this distance and all beyond share a bucket.
        output_heads: names of the heads beside that of the language model.
    """

    vocab_size: int
    embedding_size: int
    hidden_size: int
    layers: int
    heads: int
    ffn_size: int
    positions: int
    segments: int
    turns: int
    key_bias: bool
    relative_buckets: int
    relative_distance: int
    layer_norm_eps: float
    dropout: float
    attention_dropout: float
    output_heads: Tuple[str, ...] = ()


def table(rows: int, width: int) -> nn.Embedding:
    """An uninitialized table, [rows, width]."""
    return nn.Embedding.from_pretrained(torch.empty(rows, width), freeze=False)


def optional_table(rows: int, width: int) -> Optional[nn.Embedding]:
    """An uninitialized table, or None for one without rows."""
    return table(rows, width) if rows else None


class Embeddings(nn.Module):
    """Token + position + segment + turn, normalized: slots [N] → [N, H]. Tables without rows are left out."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        width = shape.embedding_size
        self.token = table(shape.vocab_size, width)
        self.position = table(shape.positions, width)
        self.segment = optional_table(shape.segments, width)
        self.turn = optional_table(shape.turns, width)
        self.norm = nn.LayerNorm(width, eps=shape.layer_norm_eps)
        self.dropout = Dropout(shape.dropout)
        self.project = nn.Linear(width, shape.hidden_size) if width != shape.hidden_size else None

    def forward(self, slots: Slots) -> Tensor:
        x = self.token(slots.token) + self.position(slots.position)  # [N, E]
        if self.segment is not None:
            x = x + self.segment(slots.segment)
        if self.turn is not None:
            x = x + self.turn(slots.turn)
        x = self.dropout(self.norm(x))
        return x if self.project is None else self.project(x)


class SelfAttention(nn.Module):
    """Multi-head attention of the slots from ``start`` on, [N, H] → [N − start, H].

    ``attend`` applies the mask and the cache.
    """

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.query = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.key = nn.Linear(shape.hidden_size, shape.hidden_size, bias=shape.key_bias)
        self.value = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.output = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.dropout = Dropout(shape.attention_dropout)

    def forward(self, x: Tensor, attend: Pass, layer: int, start: int) -> Tensor:
        query, key, value = self.split(self.query(x[start:])), self.split(self.key(x)), self.split(self.value(x))
        context = attend(layer, query, key, value, dropout=self.dropout.rate)
        return self.output(context.flatten(1))  # [N − start, heads · D]

    def split(self, x: Tensor) -> Tensor:
        """[N, H] → [N, heads, D]."""
        return x.view(len(x), self.heads, x.size(1) // self.heads)


class Layer(nn.Module):
    """One Transformer layer, [N, H] → [N − start, H]: slots before ``start`` are only attended to."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.attention = SelfAttention(shape)
        self.attention_norm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.ffn_in = nn.Linear(shape.hidden_size, shape.ffn_size)
        self.ffn_out = nn.Linear(shape.ffn_size, shape.hidden_size)
        self.ffn_norm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.dropout = Dropout(shape.dropout)

    def forward(self, x: Tensor, attend: Pass, layer: int, start: int) -> Tensor:
        x = self.attention_norm(x[start:] + self.dropout(self.attention(x, attend, layer, start)))
        return self.ffn_norm(x + self.dropout(self.ffn_out(gelu(self.ffn_in(x)))))


class LanguageModelHead(nn.Module):
    """BERT's masked-LM head up to the token table, which it shares with the embeddings: [N, H] → [N, E]."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.dense = nn.Linear(shape.hidden_size, shape.embedding_size)
        self.norm = nn.LayerNorm(shape.embedding_size, eps=shape.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(shape.vocab_size))

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(gelu(self.dense(x)))


class Transformer(nn.Module):
    """Embeddings, layers and head; initialized like BERT: normal with standard deviation 0.02, biases 0."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.embeddings = Embeddings(shape)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.lm_head = LanguageModelHead(shape)
        self.output: Optional[nn.Module] = None  # the token table as a separate layer, if it is quantized
        buckets, distance = shape.relative_buckets, shape.relative_distance
        self.relative = RelativePosition(shape.heads, buckets, distance=distance) if buckets else None
        made = {name: HEADS[name].make(shape.hidden_size) for name in shape.output_heads}
        pooled = any(HEADS[name].pooled for name in made)
        self.pooler = Pooler(shape.hidden_size) if pooled else None
        self.heads = nn.ModuleDict(made)
        self.apply(initialize)

    @property
    def dtype(self) -> torch.dtype:
        """The data type of the weights."""
        return self.embeddings.token.weight.dtype

    def forward(self, attend: Pass) -> Tensor:
        """The slots of a pass [N] → hidden states of those from its start on, [N − start, H].

        For the slots before, the last layer computes only the keys and values that the others attend to.
        """
        x = self.embeddings(attend.slots)
        for number, layer in enumerate(self.layers):
            x = layer(x, attend, number, attend.start if number == len(self.layers) - 1 else 0)
        return x

    def bias(self, query: Slots, key: Slots) -> Tensor:
        """What is added to the scores of ``query`` [B, Lq] over ``key`` [B, Lk]: [B, 1 or heads, Lq, Lk].

        0 or the relative-position bias where a key is visible; elsewhere the lowest finite number, so that no row
        becomes NaN. It is the same in every layer.
        """
        hidden = ~visible(query, key).unsqueeze(1)
        if self.relative is None:
            bias = torch.zeros(hidden.shape, dtype=self.dtype, device=hidden.device)
        else:
            bias = self.relative(query.position, key.position)
        return bias.masked_fill(hidden, torch.finfo(self.dtype).min)

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states [..., H] → logits over the vocabulary [..., V]."""
        x = self.lm_head(hidden)
        return self.output(x) if self.output else linear(x, self.embeddings.token.weight, self.lm_head.bias)

    def pair_logits(self, first: Tensor) -> Tensor:
        """Hidden states of first tokens [B, H] → logits of whether second texts are unrelated [B, 2]."""
        assert self.pooler is not None
        return self.heads["next_sentence"](self.pooler(first))

    def loss(
        self, hidden: Tensor, label: Tensor, smoothing: float, weight: Optional[Tensor] = None
    ) -> Tuple[Tensor, Tensor]:
        """Hidden states [N, H], labels and weights [N] → the loss with smoothing, summed, [], and the nll [N]."""
        table, bias = self.embeddings.token.weight, self.lm_head.bias
        return linear_cross_entropy(self.lm_head(hidden), table, bias, label, smoothing=smoothing, weight=weight)


def initialize(module: nn.Module) -> None:
    """Draws a module's own weights with standard deviation 0.02; scales become 1, biases 0.

    A module on the meta device is left alone.
    """
    if any(parameter.is_meta for parameter in module.parameters(recurse=False)):
        return
    if isinstance(module, (nn.Linear, nn.Embedding, RelativePosition)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
    bias = getattr(module, "bias", None)
    if isinstance(bias, nn.Parameter):
        nn.init.zeros_(bias)
