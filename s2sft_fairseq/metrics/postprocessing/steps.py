"""What the papers do to outputs before they are scored, one named step for each task."""

import re
from typing import Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set

from ...common.characters import IDEOGRAPHS
from ..texts import Texts
from .dstc7 import dstc7_tokens
from .penn_treebank import LOWER_BRACKETS, PLAIN_RULES, penn_tokens

SENTENCE_END = "[X_SEP]"
REFERENCE_SENTENCE_END = " <S_SEP> "
SHORTEST_SENTENCE = 5  # tokens
REPEATED = 0.7  # of a sentence's words are in those before: it is dropped
MOST_WORDS = 60  # s2s-ft's default; its README takes 70 for UniLM and 160 for s2s-ft on CNN/DailyMail
GIGAWORD_NAMES = {**LOWER_BRACKETS, "[UNK]": "UNK", "<unk>": "UNK", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
XSUM_BRACKETS = {"(": " -LRB- ", ")": " -RRB- "}
CNNDM_BRACKETS = {**XSUM_BRACKETS, "[": " -LSB- ", "]": " -RSB- "}
MARKER = re.escape(SENTENCE_END) + r"|\[UNK\]|<unk>"
SYMBOL = re.compile(f"{MARKER}|[^\\w\\s]|_|[{IDEOGRAPHS}]")

Step = Callable[[str], str]


class Steps(NamedTuple):
    """What happens to a hypothesis and to a reference, and how many words of a hypothesis are kept (0: all)."""

    summary: str
    hypothesis: Step
    reference: Step
    most_words: int = 0


def cnndm(text: str) -> str:
    """One CNN/DailyMail summary, its sentences separated by ``[X_SEP]``, as s2s-ft scores it: one per line (P1)."""
    sentences = [bracketed(penn_tokens(sentence), CNNDM_BRACKETS) for sentence in text.split(SENTENCE_END)]
    return "\n".join(without_repetition(s for s in sentences if len(s.split()) >= SHORTEST_SENTENCE))


def bracketed(sentence: str, names: Mapping[str, str]) -> str:
    """Brackets that are part of a token get the Penn Treebank's names too."""
    for bracket, name in names.items():
        sentence = sentence.replace(bracket, name)
    return re.sub(" +", " ", sentence)


def without_repetition(sentences: Iterable[str]) -> List[str]:
    """Leaves out the sentences whose words were nearly all in those before, left out ones included."""
    seen: Set[str] = set()
    kept = []
    for sentence in sentences:
        words = set(sentence.lower().split())
        if len(words & seen) / len(words) <= REPEATED:
            kept.append(sentence)
        seen |= words
    return kept


def shortened(text: str, most_words: int) -> str:
    """The first words of a summary, sentences kept apart."""
    kept = []
    for sentence in text.split("\n"):
        words = sentence.split()[:most_words]
        most_words -= len(words)
        kept.append(" ".join(words))
    return "\n".join(kept).rstrip("\n")


def cnndm_reference(text: str) -> str:
    """A reference with one sentence a line."""
    return text.strip().replace(REFERENCE_SENTENCE_END, "\n")


def gigaword(text: str) -> str:
    """One Gigaword headline in the form of its references, whose digits are ``#`` (P2)."""
    return penn_tokens(text, names=GIGAWORD_NAMES).replace("1", "#")


def xsum(text: str) -> str:
    """One XSum summary as s2s-ft scores it: quotes and hyphens stay as they are."""
    return bracketed(penn_tokens(text, names={}, rules=PLAIN_RULES), XSUM_BRACKETS)


def wordpiece(text: str) -> str:
    """Joins WordPiece's pieces to words (P3)."""
    return text.replace(" ##", "")


def basic(text: str) -> str:
    """Parts punctuation and Chinese characters from what is beside them, as BERT does before it looks for pieces."""
    return " ".join(SYMBOL.sub(r" \g<0> ", text).split())


def unchanged(text: str) -> str:
    """The text itself."""
    return text


STEPS: Dict[str, Steps] = {
    "cnndm": Steps(
        "sentences split at [X_SEP], Penn Treebank tokens, repetitions removed", cnndm, cnndm_reference, MOST_WORDS
    ),
    "gigaword": Steps("Penn Treebank tokens, digits as #", gigaword, unchanged),
    "apart": Steps(
        "like basic, but references unchanged: detokenized text needs it before cnndm, gigaword, xsum", basic, unchanged
    ),
    "basic": Steps("punctuation and Chinese characters separated, also in references", basic, basic),
    "dstc7": Steps("tokens of DSTC7's script, also in references", dstc7_tokens, dstc7_tokens),
    "xsum": Steps("Penn Treebank tokens, except for quotes and hyphens", xsum, unchanged),
    "wordpiece": Steps("pieces such as ##ing joined to words", wordpiece, unchanged),
}


def postprocess(texts: Texts, names: Sequence[str], *, most_words: Optional[int] = None) -> Texts:
    """Takes hypotheses and references through named steps, in this order.

    Args:
        texts: what is to be scored.
        names: keys of :data:`STEPS`.
        most_words: words of a hypothesis to keep, 0 for all; as the steps have it by default.
    """
    hypotheses, references = texts.hypotheses, texts.references
    for step in (STEPS[name] for name in names):
        limit = step.most_words if most_words is None else most_words
        hypotheses = [step.hypothesis(text) for text in hypotheses]
        hypotheses = [shortened(text, limit) for text in hypotheses] if limit else hypotheses
        references = [[step.reference(text) for text in several] for several in references]
    return texts._replace(hypotheses=hypotheses, references=references)
