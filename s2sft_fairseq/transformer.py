"""The shared Transformer: BERT's encoder over slots, whatever the objective, and its masked-LM head.

Post-LayerNorm, learned absolute positions, dropout after the embeddings' LayerNorm and on both sub-layers' outputs
before their residual sums (Devlin et al. 2019; paper 000, section 2).
"""

from dataclasses import dataclass
from typing import Optional

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

from .attention import Attend
from .slots import Slots


@dataclass
class TransformerShape:
    """Sizes of the tables and layers, and the dropout rates."""

    vocab_size: int
    hidden_size: int
    layers: int
    heads: int
    ffn_size: int
    positions: int
    segments: int
    layer_norm_eps: float
    dropout: float
    attention_dropout: float


class Embeddings(nn.Module):
    """Token + position + segment, normalized: slots [B, L] → [B, L, H]. Without segments the table is left out."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.token = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.position = nn.Embedding(shape.positions, shape.hidden_size)
        self.segment: Optional[nn.Embedding] = (
            nn.Embedding(shape.segments, shape.hidden_size) if shape.segments else None
        )
        self.norm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, slots: Slots) -> Tensor:
        x = self.token(slots.token) + self.position(slots.position)
        if self.segment is not None:
            x = x + self.segment(slots.segment)
        return self.dropout(self.norm(x))


class SelfAttention(nn.Module):
    """Multi-head attention, [B, L, H] → [B, L, H]; ``attend`` knows the mask and the cache."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.query = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.key = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.value = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.output = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.dropout = shape.attention_dropout

    def forward(self, x: Tensor, attend: Attend, layer: int) -> Tensor:
        query, key, value = (self.split(part(x)) for part in (self.query, self.key, self.value))
        context = attend(layer, query, key, value, dropout=self.dropout if self.training else 0.0)
        return self.output(context.transpose(1, 2).flatten(2))  # [B, L, heads · D]

    def split(self, x: Tensor) -> Tensor:
        """[B, L, H] → [B, heads, L, D]."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Layer(nn.Module):
    """One Transformer layer, [B, L, H] → [B, L, H]."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.attention = SelfAttention(shape)
        self.attention_norm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.ffn_in = nn.Linear(shape.hidden_size, shape.ffn_size)
        self.ffn_out = nn.Linear(shape.ffn_size, shape.hidden_size)
        self.ffn_norm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, x: Tensor, attend: Attend, layer: int) -> Tensor:
        x = self.attention_norm(x + self.dropout(self.attention(x, attend, layer)))
        return self.ffn_norm(x + self.dropout(self.ffn_out(gelu(self.ffn_in(x)))))


class LanguageModelHead(nn.Module):
    """BERT's masked-LM head, its last layer tied to the token embeddings: [N, H] → logits [N, V]."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.dense = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.norm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(shape.vocab_size))

    def forward(self, x: Tensor, token_table: Tensor) -> Tensor:
        return linear(self.norm(gelu(self.dense(x))), token_table, self.bias)


class Transformer(nn.Module):
    """Embeddings, layers and head; initialized like BERT: normal with deviation 0.02, biases 0."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.embeddings = Embeddings(shape)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.lm_head = LanguageModelHead(shape)
        self.apply(initialize)

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return self.embeddings.token.weight.dtype

    def forward(self, slots: Slots, attend: Attend) -> Tensor:
        """Slots [B, L] → hidden states [B, L, H]."""
        x = self.embeddings(slots)
        for number, layer in enumerate(self.layers):
            x = layer(x, attend, number)
        return x

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states [..., H] → scores of the vocabulary [..., V]."""
        return self.lm_head(hidden, self.embeddings.token.weight)


def initialize(module: nn.Module) -> None:
    """Draws the weights of a linear layer or an embedding table from N(0, 0.02), and zeroes the bias."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
