"""NIST and BLEU of mteval-v14c.pl, whose figures DSTC7 reports, from texts as DSTC7's script passes them on."""

import math
from collections import Counter
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase
from typing import Dict, List, NamedTuple, Sequence, Set

import numpy as np
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

from .ngrams import Ngram, Overlap, count_ngrams, overlap, shared_ngrams, sum_by_length

LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
PENALTY = math.log(0.5) / math.log(1.5) ** 2
"""Makes NIST's length penalty one half where the hypotheses have two thirds of the references' tokens."""

split_13a = Tokenizer13a()


class Counts(NamedTuple):
    """What NIST and BLEU need of N examples, or the sums over them.

    Attributes:
        overlap: how many n-grams hypothesis and references share.
        information: how many bits those n-grams tell [N, 4].
        average: tokens of the references on average [N].
    """

    overlap: Overlap
    information: np.ndarray
    average: np.ndarray

    def sums(self, rows: np.ndarray) -> "Counts":
        """The sums over these examples."""
        return Counts(self.overlap.sums(rows), self.information[rows].sum(axis=0), self.average[rows].sum(axis=0))


def count(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Counts:
    """Counts the n-grams of N hypotheses and of their references; how informative one is, the references tell."""
    outputs = [tokenize(text) for text in hypotheses]
    golds = [[tokenize(text) for text in texts] for texts in references]
    shared = [shared_ngrams(tokens, texts) for tokens, texts in zip(outputs, golds)]
    bits = information(
        {ngram for ngrams in shared for ngram in ngrams}, [tokens for texts in golds for tokens in texts]
    )
    return Counts(
        overlap=overlap(outputs, golds, shared=shared),
        information=np.stack([sum_by_length({g: n * bits[g] for g, n in ngrams.items()}) for ngrams in shared]),
        average=np.array([np.mean([*map(len, texts)]) for texts in golds]),
    )


def tokenize(text: str) -> List[str]:
    """The tokens of mteval-v14c, in lower case but for addresses; DSTC7 names what is empty and drops & and <."""
    words = text.replace("&", " ").replace("<", " ").split() if text else ["__empty__"]
    return [token for word in words for token in split_word(word)]


@lru_cache(maxsize=2**16)
def split_word(word: str) -> List[str]:
    """The tokens of what stands between spaces."""
    return [word] if word.startswith(("http://", "https://")) else split_13a(word.translate(LOWER)).split()


def information(ngrams: Set[Ngram], references: Sequence[Sequence[str]]) -> Dict[Ngram, float]:
    """The information in bits of the last token of each of these n-grams, given the tokens before it.

    The script takes the beginning "0" for none, as Perl does.
    """
    counts: Counter[Ngram] = Counter()
    for tokens in references:
        counts.update({ngram: times for ngram, times in count_ngrams(tokens).items() if ngram in ngrams})
    words = sum(map(len, references))
    beginnings = {**counts, (): words, ("0",): words}
    return {ngram: math.log2(beginnings[ngram[:-1]] / counts[ngram]) for ngram in ngrams}


def nist(sums: Counts) -> float:
    """NIST with n-grams up to 4 (Doddington, 2002): information per n-gram, with a penalty for short texts."""
    gained = float(np.sum(sums.information / np.maximum(sums.overlap.possible, 1)))
    length, expected = sums.overlap.possible[0], sums.average
    if not length or not expected:
        return 0.0
    return gained * math.exp(PENALTY * math.log(min(length / expected, 1)) ** 2)


def bleu(sums: Overlap) -> float:
    """BLEU with n-grams up to 4 (Papineni et al., 2002), from 0 to 1.

    The first length without a match counts as half a match, the next as a quarter and so on; a length of which there
    are no n-grams at all counts as perfect.
    """
    halvings = np.cumsum((sums.shared == 0) & (sums.possible > 0))
    matches = np.where(sums.shared > 0, sums.shared, 0.5**halvings)
    precisions = np.where(sums.possible > 0, matches / np.maximum(sums.possible, 1), 1.0)
    length = sums.possible[0]
    brevity = math.exp(min(0.0, 1 - sums.closest / length)) if length else 0.0
    return brevity * float(np.exp(np.log(precisions).mean()))
