"""What two texts have in common: n-grams, and subsequences of the whole text or of its sentences."""

from collections import Counter
from typing import List, NamedTuple, Sequence, Tuple

from . import subsequence

Sentences = Sequence[Sequence[str]]  # the words of each sentence of a text


class Counts(NamedTuple):
    """Units that the texts share, and how many reference and hypothesis have, for ROUGE-1, -2, -L and -Lsum [4]."""

    shared: Tuple[int, ...]
    reference: Tuple[int, ...]
    hypothesis: Tuple[int, ...]


def count_overlap(reference: Sentences, hypothesis: Sentences) -> Counts:
    """Counts what a hypothesis shares with one reference.

    N-grams reach across the ends of sentences. ROUGE-L takes both texts for one sentence each; ROUGE-Lsum is what
    ROUGE-1.5.5 calls ROUGE-L when it is given one sentence a line.
    """
    ours, theirs = flat(hypothesis), flat(reference)
    longest = subsequence.length(theirs, ours)
    whole = len(reference) <= 1 and len(hypothesis) <= 1
    shared = (
        shared_ngrams(theirs, ours, 1),
        shared_ngrams(theirs, ours, 2),
        longest,
        longest if whole else union_of_subsequences(reference, hypothesis),
    )
    return Counts(shared, sizes(theirs), sizes(ours))


def flat(sentences: Sentences) -> List[str]:
    """The words of a text."""
    return [word for sentence in sentences for word in sentence]


def sizes(words: Sequence[str]) -> Tuple[int, ...]:
    """How many words, bigrams, words and words there are."""
    count = len(words)
    return count, max(0, count - 1), count, count


def ngrams(words: Sequence[str], size: int) -> Counter[Tuple[str, ...]]:
    """How often each n-gram is in a text."""
    return Counter(zip(*(words[start:] for start in range(size))))


def shared_ngrams(reference: Sequence[str], hypothesis: Sequence[str], size: int) -> int:
    """How many n-grams two texts share, each as often as the one that has it more seldom."""
    mine, other = ngrams(hypothesis, size), ngrams(reference, size)
    return sum(min(count, mine[ngram]) for ngram, count in other.items() if ngram in mine)


def union_of_subsequences(reference: Sentences, hypothesis: Sentences) -> int:
    """Lin (2004), section 3.2: the words of each reference sentence in a subsequence of any hypothesis sentence.

    A word of the hypothesis is counted once, however many reference sentences it stands for.
    """
    hits: Counter[str] = Counter()
    for sentence in reference:
        found = set().union(*(subsequence.positions(sentence, other) for other in hypothesis))
        hits.update(sentence[place] for place in found)
    available = Counter(flat(hypothesis))
    return sum(min(count, available[word]) for word, count in hits.items())
