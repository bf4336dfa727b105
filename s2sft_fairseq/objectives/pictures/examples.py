"""Examples for pictures: a few words, laid out for training by a fine-tuning method or a pre-training objective."""

import re
import tempfile
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Type

import numpy as np
import torch
from torch import Tensor

from ...common.errors import UserError
from ...text.dictionary import PretrainedDictionary
from ..finetuning import OBJECTIVES, FinetuningObjective, Flow
from ..pretraining import PRETRAINING, PretrainingObjective
from ..pretraining.objective import Order, TextPair
from ..slots import Blocks
from ..source_layouts import Segments
from ..span_vocabulary import LONGEST
from ..text_spans import CorpusLayout
from .panel import Panel, panel_of

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

NO_NOISE = {"target_mask_prob": 0.0, "mask_keep_prob": 0.0, "mask_random_prob": 0.0, "no_nsp": True}
"""Known tokens stay as they are; where tokens must be masked to train at all, masks replace them."""

PAIR, OF_TEXT = (("s1", "s2"), ("t1", "t2")), (("x2",), ("x4", "x5"))
"""The words of a pair to fine-tune on, and of one to pre-train on: with special tokens, x1 … x6 (001, Figure 5)."""

TEXT = ("x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8")
"""The words of a single text."""

ORDER = re.compile(r"\d{1,6}(,\d{1,6})*(/\d{1,6}(,\d{1,6})*)*")


class Request(NamedTuple):
    """What of an example the user decides; None: the default.

    Attributes:
        source, target: the words of a pair.
        text: those of a single text.
        kinds: which kinds of examples of an objective; None: all.
        order: the blocks of a pseudo-masked language model, in their order.
        last_block: whether the last block's originals are shown.
        seed: of what is random.
    """

    source: Optional[Sequence[str]] = None
    target: Optional[Sequence[str]] = None
    text: Optional[Sequence[str]] = None
    kinds: Optional[Sequence[str]] = None
    order: Optional[str] = None
    last_block: bool = False
    seed: int = 5

    def pair(self, default: Sequence[Sequence[str]]) -> List[List[str]]:
        """Source and target, a missing one from a default."""
        given = (self.source, self.target)
        return [[*(words if words is not None else other)] for words, other in zip(given, default)]


def words_of(flag: str, text: Optional[str]) -> Optional[List[str]]:
    """The words of a text of the command line, None if it is not given.

    Raises:
        UserError: there are none, or one of them is a special token.
    """
    if text is None:
        return None
    words = text.split()
    if not words:
        raise UserError(f"{flag} is empty; expected words, separated by spaces")
    special = [word for word in words if word in (*SPECIAL, *added_tokens())]
    if special:
        raise UserError(f"{flag}: {special[0]} is a special token, which the example gets by itself; expected words")
    return words


def added_tokens() -> List[str]:
    """The tokens that the registered methods add."""
    return [token for name in sorted(OBJECTIVES) for token in OBJECTIVES[name].extra_tokens]


def vocabulary(words: Sequence[str]) -> PretrainedDictionary:
    """BERT's special tokens, these words, and what the registered methods add."""
    dictionary = PretrainedDictionary([*SPECIAL, *(word for word in dict.fromkeys(words) if word not in SPECIAL)])
    dictionary.grow(added_tokens())
    return dictionary


def options_of(kind: Any, given: Mapping[str, Any]) -> SimpleNamespace:
    """The options that a method or an objective declares: those given, else no noise, else its defaults."""
    declared = kind.options_class()
    names = [option.name for option in fields(declared) if option.name != "_name"]
    defaults = {name: NO_NOISE.get(name, getattr(declared, name)) for name in names}
    return SimpleNamespace(**{**defaults, **{name: value for name, value in given.items() if name in defaults}})


def rows(words: Sequence[str], dictionary: PretrainedDictionary) -> Tensor:
    """The rows of words, int64 [T]."""
    return torch.tensor([dictionary.index(word) for word in words], dtype=torch.int64)


def panels_of(title: str, blocks: Blocks, flows: Mapping[str, Flow], dictionary: PretrainedDictionary) -> List[Panel]:
    """A panel of an example, or one for each flow of its attention."""
    if not flows:
        return [panel_of(title, blocks, dictionary)]
    return [
        panel_of(f"{title}: {name}", blocks, dictionary, rows=flow.looking, columns=flow.seen)
        for name, flow in flows.items()
    ]


def finetuning_panels(name: str, request: Request, options: Mapping[str, Any]) -> List[Panel]:
    """What a fine-tuning method trains on.

    Raises:
        UserError: a part of the request is for pre-training, or the method refuses an option.
    """
    refuse(request, ("text", "kinds", "order", "last_block"), f"--finetune-method {name}")
    source, target = request.pair(PAIR)
    dictionary = vocabulary([*source, *target])
    method = method_of(name, dictionary, options, Segments(source=0, target=1))
    end = [dictionary.eos_word]
    framed = [dictionary.bos_word, *source, *(end if method.layout.source_end else [])]
    rng = np.random.default_rng(request.seed)
    blocks = method.train(rows(framed, dictionary), rows([*target, *end], dictionary), rng)
    return panels_of(name, blocks, method.flows(blocks.packed()), dictionary)


def method_of(
    name: str, dictionary: PretrainedDictionary, options: Mapping[str, Any], segments: Segments
) -> FinetuningObjective:
    """A fine-tuning method, ready to lay out examples."""
    kind = OBJECTIVES[name]
    method = kind(dictionary, segments, options_of(kind, options))  # type: ignore[arg-type]
    method.prepare()
    return method


def pretraining_panels(name: str, request: Request, options: Mapping[str, Any]) -> List[Panel]:
    """What a pre-training objective trains on, one panel for each kind of example or flow of attention.

    Raises:
        UserError: a part of the request is not for this objective, or the objective refuses an option.
    """
    kind = PRETRAINING[name]
    words = request.text or [word for side in request.pair(OF_TEXT) for word in side] + [*TEXT]
    dictionary = vocabulary(words)
    decided = {"source_type_id": 0, "target_type_id": 1, **kind.model_options}
    segments = Segments(decided["source_type_id"], decided["target_type_id"])
    method = method_of(method_name(kind), dictionary, options, segments)
    objective = kind(method, dictionary, options_of(kind, options))
    text = text_pair(name, objective, request, dictionary)
    panels: List[Panel] = []
    for number in chosen_kinds(name, objective, request):
        blocks = laid_out(objective, text._replace(kind=number), request)
        title = f"{name}: {objective.kind_names[number]}" if objective.kind_names else name
        panels += panels_of(title, blocks, objective.flows(blocks.packed()), dictionary)
    return panels


def method_name(kind: Type[PretrainingObjective]) -> str:
    """The fine-tuning method that an objective pre-trains for, unless the user decides."""
    return str(kind.model_options.get("finetune_method", "pseudo_masked"))


def laid_out(objective: PretrainingObjective, text: TextPair, request: Request) -> Blocks:
    """The slots of one example, in the order of the request if it has one."""
    if request.order is not None:
        return objective.in_order(text, parse_order(request.order), last_block=request.last_block).blocks
    if request.last_block:
        raise UserError("--last-block shows the tokens of the last block of --order, which is missing; add it")
    return objective.train(text, np.random.default_rng(request.seed)).blocks


def text_pair(
    name: str, objective: PretrainingObjective, request: Request, dictionary: PretrainedDictionary
) -> TextPair:
    """The words of the example; a single text is divided as in training, if the objective has pairs.

    Raises:
        UserError: a pair for an objective on single texts, or both a text and a pair.
    """
    given = request.source is not None or request.target is not None
    if given and request.text is not None:
        raise UserError("--text is instead of --source and --target; leave it or both of them out")
    takes_pairs = bool(divided([*TEXT], objective, request.seed)[1])
    if given and not takes_pairs:
        raise UserError(f"--objective {name} trains on single texts; expected --text instead of --source and --target")
    if given or (takes_pairs and request.text is None):
        first, second = request.pair(OF_TEXT)
    else:
        first, second = divided([*(request.text or TEXT)], objective, request.seed)
    return TextPair(rows(first, dictionary), rows(second, dictionary), 0, 0)


def divided(words: List[str], objective: PretrainingObjective, seed: int) -> List[List[str]]:
    """The two texts that an objective makes of a line of words; the second is empty for single texts."""
    n = len(words)
    corpus = CorpusLayout(*(np.array(ends) for ends in ([n], [0, n], [0, n])))
    spans = objective.spans(corpus, longest=n, training=False, rng=np.random.default_rng(seed))
    size = int(spans.first_size[0])
    return [words[:size], words[size : size + int(spans.second_size[0])]]


def chosen_kinds(name: str, objective: PretrainingObjective, request: Request) -> List[int]:
    """The numbers of the kinds of examples to show.

    Raises:
        UserError: the objective has only one, or not this one.
    """
    if request.kinds is None:
        return [*range(max(1, len(objective.kind_names)))]
    if not objective.kind_names:
        raise UserError(f"--lm chooses among several language models, and --objective {name} has one; leave it out")
    unknown = [kind for kind in request.kinds if kind not in objective.kind_names]
    if unknown:
        raise UserError(f"--lm {unknown[0]}: expected one or more of {', '.join(objective.kind_names)}")
    return [objective.kind_names.index(kind) for kind in request.kinds]


def parse_order(text: str) -> Order:
    """Parses ``--order``: blocks separated by slashes, of places counted from 1; the result counts from 0.

    >>> parse_order("4,5/2")
    [[3, 4], [1]]

    Raises:
        UserError: another form, or a place named twice.
    """
    if not ORDER.fullmatch(text):
        raise UserError(f"--order {text}; expected places, counted from 1, in blocks separated by slashes: 4,5/2")
    order = [[int(place) - 1 for place in block.split(",")] for block in text.split("/")]
    places = [place for block in order for place in block]
    twice = next((place for place in places if places.count(place) > 1), None)
    if twice is not None:
        raise UserError(f"--order {text} names token {twice + 1} twice; each masked token is in one block")
    return order


def refuse(request: Request, names: Sequence[str], chosen: str) -> None:
    """Raises UserError if the request has one of these parts, which are for pre-training."""
    flags = {"text": "--text", "kinds": "--lm", "order": "--order", "last_block": "--last-block"}
    for name in names:
        if getattr(request, name) not in (None, False):
            raise UserError(f"{flags[name]} is for --objective, but found {chosen}; leave it out")


def span_options(path: str, options: Mapping[str, Any]) -> Dict[str, Any]:
    """Options with a file of spans, and with a span flow, unless its weight is chosen."""
    given = options["word_flow_weight"]
    return {**options, "span_vocab": path, "word_flow_weight": 0.5 if given == 1 else given}


@contextmanager
def span_file(spans: Optional[str], words: Sequence[str]) -> Iterator[Optional[str]]:
    """A file for ``--span-vocab`` with the spans of ``--spans "t1 t2/t3"``; single tokens need not be named.

    Args:
        spans: as the user wrote them; None: no file.
        words: the text that they are in.

    Raises:
        UserError: none of several words, one of too many, or one that is not in the text.
    """
    if spans is None:
        yield None
        return
    found = [span.split() for span in spans.split("/")]
    for span in found:
        check_span(span, words, spans)
    if max(map(len, found)) < 2:
        raise UserError(f"--spans {spans}: all have one word; expected one of two or three, such as 't1 t2/t3'")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spans.txt"
        path.write_text("".join(f"{' '.join(span)}\n" for span in found if len(span) > 1), encoding="utf-8")
        yield str(path)


def check_span(span: Sequence[str], words: Sequence[str], spans: str) -> None:
    """Raises UserError unless a span has one to three words that follow one another in the text."""
    if not 1 <= len(span) <= LONGEST:
        raise UserError(f"--spans {spans}: {' '.join(span)!r} has {len(span)} words; expected one to {LONGEST}")
    starts = range(len(words) - len(span) + 1)
    if not any([*words[start : start + len(span)]] == [*span] for start in starts):
        raise UserError(f"--spans {spans}: {' '.join(span)!r} is not in the text, which is {' '.join(words)!r}")
