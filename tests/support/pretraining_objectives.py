"""Pre-training objectives over the small vocabulary, and examples of theirs."""

from types import SimpleNamespace
from typing import Any, List, Optional

import numpy as np
from builders import VOCABULARY, random_words
from corpora import small_texts
from torch import Tensor

from s2sft_fairseq.data.text_dataset import TextDataset
from s2sft_fairseq.objectives.finetuning import OBJECTIVES
from s2sft_fairseq.objectives.pretraining import PRETRAINING, PretrainingObjective
from s2sft_fairseq.objectives.pretraining.objective import Example, TextPair
from s2sft_fairseq.objectives.source_layouts import Segments

SIZES = [3, 9, 1, 2, 8, 0, 4, 5, 11, 0, 0, 1, 1, 0, 30, 2]
"""Lines of a small corpus: several documents, a long line, a document of two words."""


def pretraining(name: str, **options: Any) -> PretrainingObjective:
    """An objective with the method and the segments that it asks for; the options are its own, or those of noise."""
    kind = PRETRAINING[name]
    model = {"source_type_id": 0, "target_type_id": 1, **kind.model_options}
    method = OBJECTIVES[model["finetune_method"]]
    segments = Segments(model["source_type_id"], model["target_type_id"])
    noise = {key: options.pop(key) for key in list(options) if key.startswith("mask_") and key.endswith("_prob")}
    own = method(VOCABULARY, segments, method.options_class(**noise))
    given = SimpleNamespace(**{**vars(kind.options_class()), **options})
    return kind(own, VOCABULARY, given)


def text_pair(first: int, second: int, *, kind: int = 0, unrelated: int = 0, seed: int = 0) -> TextPair:
    """Two texts of so many random words."""
    rng = np.random.default_rng(seed)
    return TextPair(random_words(rng, first), random_words(rng, second), kind, unrelated)


def example(name: str, text: TextPair, *, seed: int = 0, noise: bool = True, **options: Any) -> Example:
    """What an objective makes of a text."""
    made_by = pretraining(name, **options)
    return (made_by.train if noise else made_by.evaluate)(text, np.random.default_rng(seed))


def small_data(name: str, *, seed: Optional[int] = 3, longest: int = 12, **options: Any) -> TextDataset:
    """The small corpus under an objective."""
    return TextDataset(small_texts(SIZES, longest), objective=pretraining(name, **options), seed=seed)


def rows(tensor: Tensor) -> List[int]:
    """One sentence's field [1, L]."""
    return tensor[0].tolist()
