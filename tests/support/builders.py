"""What the unit tests are made of: a small vocabulary, framed random pairs, random models."""

from pathlib import Path
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from fairseq.data import ListDataset
from methods import METHODS
from random_weights import randomize
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from s2sft_fairseq.data.pair_dataset import FramedText
from s2sft_fairseq.models.layers.transformer import Transformer
from s2sft_fairseq.models.options import ModelOptions, complete, transformer_shape
from s2sft_fairseq.models.seq2seq_model import S2SFTModel
from s2sft_fairseq.objectives.finetuning import OBJECTIVES, FinetuningObjective
from s2sft_fairseq.objectives.slots import PredictionLayout
from s2sft_fairseq.objectives.source_layouts import Segments
from s2sft_fairseq.text.dictionary import PretrainedDictionary

SEGMENTS = Segments(source=0, target=1)


SPECIAL = ["[unused0]", "[UNK]", "[PAD]", "[SEP]", "[unused1]", "[MASK]", "[CLS]"]
"""None of them has BERT's row, so that a fixed id would show."""

VOCABULARY = PretrainedDictionary([*SPECIAL, *(f"w{i}" for i in range(40))])
VOCABULARY.grow(token for method in METHODS for token in OBJECTIVES[method].extra_tokens)
PAD, UNK, CLS, SEP, MASK = (VOCABULARY.index(token) for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"))


def objective(method: str, **options: Any) -> FinetuningObjective:
    """A fine-tuning method over the small vocabulary; the options are those of the noise."""
    return OBJECTIVES[method](VOCABULARY, SEGMENTS, OBJECTIVES[method].options_class(**options))


def span_file(folder: Path, *spans: str) -> str:
    """A vocabulary of spans."""
    path = folder / "spans.txt"
    path.write_text("".join(f"{span}\t1.0\n" for span in spans), encoding="utf-8")
    return str(path)


PREDICTION_LAYOUTS = {method: objective(method).layout for method in METHODS}


def ids(text: str) -> Tensor:
    """The rows of the tokens of a text, [T]."""
    return torch.tensor([VOCABULARY.index(token) for token in text.split()])


def text(tokens: Tensor) -> str:
    """The tokens of rows [T], IGNORE as a dash."""
    return " ".join("-" if token < 0 else VOCABULARY[token] for token in tokens.tolist())


class Pair(NamedTuple):
    """A framed source [S] and target [T]."""

    source: Tensor
    target: Tensor


def random_words(rng: np.random.Generator, length: int) -> Tensor:
    """Ordinary tokens, [length]."""
    return torch.from_numpy(rng.choice(VOCABULARY.ordinary_ids(), size=length))


def framed(words: Tensor, *, start: Sequence[int] = (), end: Sequence[int] = ()) -> Tensor:
    """Words between special tokens."""
    return torch.cat([torch.tensor(start, dtype=torch.int64), words, torch.tensor(end, dtype=torch.int64)])


def random_pairs(layout: PredictionLayout, *, count: int, seed: int, longest: int = 6) -> List[Pair]:
    """Pairs of different lengths, an empty source or target among the possible ones."""
    rng = np.random.default_rng(seed)
    source_end = [SEP] if layout.source_end else []
    return [
        Pair(
            framed(random_words(rng, int(rng.integers(longest + 1))), start=[CLS], end=source_end),
            framed(random_words(rng, int(rng.integers(longest + 1))), end=[SEP]),
        )
        for _ in range(count)
    ]


def padded(pairs: Sequence[Pair]) -> Tuple[Tensor, Tensor]:
    """Sources [B, S] and targets [B, T], each padded on its right."""

    def side(number: int) -> Tensor:
        return pad_sequence([pair[number] for pair in pairs], batch_first=True, padding_value=PAD)

    return side(0), side(1)


def shifted(target: Tensor) -> Tensor:
    """fairseq's ``prev_output_tokens`` [B, T] of a target [B, T]: the end token moves to the front."""
    previous = target.masked_fill(target.eq(SEP), PAD).roll(1, dims=1)
    previous[:, 0] = SEP
    return previous


def random_model(
    name: str, *, seed: int = 0, dtype: torch.dtype = torch.float64, spread: float = 0.2, **options: Any
) -> S2SFTModel:
    """A model of random weights that follows one of the conventions, ready to predict."""
    sizes = {
        "encoder_layers": 2,
        "encoder_embed_dim": 16,
        "encoder_ffn_embed_dim": 24,
        "encoder_attention_heads": 2,
        "max_source_positions": 40,
        "max_target_positions": 60,
    }
    cfg = complete(ModelOptions(**{**sizes, **options}), {})
    model = S2SFTModel(cfg, Transformer(transformer_shape(cfg, len(VOCABULARY))), PREDICTION_LAYOUTS[name])
    randomize(model, seed=seed, spread=spread)
    return model.to(dtype).eval()


def framed_text(
    lines: List[Tensor],
    *,
    bos: Optional[int] = CLS,
    eos: Optional[int] = SEP,
    max_length: Optional[int] = None,
) -> FramedText:
    """Lines as fairseq-preprocess binarizes them, read as the task reads them."""
    ended = [torch.cat([line, torch.tensor([SEP])]).int() for line in lines]
    binarized = ListDataset(ended, np.array([len(line) for line in ended]))
    return FramedText(binarized, pad=PAD, unk=UNK, bos=bos, eos=eos, max_length=max_length)
