"""What came of the experiments, as tables in Markdown."""

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

import numpy as np
from experiment_table import Corpus, Options, Trial
from tqdm import tqdm

from s2sft_fairseq.common.text_lines import read_all_lines
from s2sft_fairseq.metrics.bootstrap import difference, resampled
from s2sft_fairseq.metrics.rouge import Rouge

FIGURES = {"rouge_1": "ROUGE-1", "rouge_2": "ROUGE-2", "rouge_l": "ROUGE-L"}
SENTENCE_END = re.compile(r"(?<=[.!?])\s|(?<=[。！？])")


class Score:
    """ROUGE of some outputs for the test split of a corpus.

    Attributes:
        figures: in points [3].
        samples: the same over bootstrap samples of the examples [3, resamples].
    """

    def __init__(self, corpus: Corpus, outputs: Sequence[str]) -> None:
        references = [[line] for line in read_all_lines(corpus.raw / "test.tgt")]
        self.examples = Rouge(**corpus.evaluate).examples(outputs, references)
        self.figures = np.array([self.examples.figures()[name] for name in FIGURES])

    @cached_property
    def samples(self) -> np.ndarray:
        drawn = resampled(self.examples)
        return np.stack([drawn[name] for name in FIGURES])


Scores = dict[Trial, Score]


class Group(NamedTuple):
    """The trials of a table on one corpus that have been run."""

    table: str
    corpus: Corpus
    scores: Scores


def groups(wanted: list[Trial]) -> Iterator[Group]:
    """Scores the outputs of trials, table by table and corpus by corpus."""
    finished = [trial for trial in wanted if trial.outputs.exists()]
    for (table, title), group in groupby(finished, key=lambda trial: (trial.table, trial.corpus.title)):
        scores = {trial: scored(trial) for trial in tqdm(list(group), desc=f"{table}, {title}", disable=None)}
        yield Group(table, next(iter(scores)).corpus, scores)


def report(tables: Options, scored_groups: Iterable[Group]) -> str:
    """What came of each group, with the contrasts that experiments.yaml names for its table."""
    parts = []
    for table, corpus, scores in scored_groups:
        contrasts = tables[table].get("contrasts", {})
        parts += [f"### {corpus.title}", "\n".join(rows(corpus, scores)), "\n".join(differences(scores, contrasts))]
    return "\n\n".join(filter(None, parts))


def scored(trial: Trial) -> Score:
    """One trial's outputs."""
    return Score(trial.corpus, read_all_lines(trial.outputs))


def rows(corpus: Corpus, scores: Scores) -> Iterator[str]:
    """Mean and standard deviation over the seeds, a row a system; what the first sentence would get comes first."""
    yield "| system | " + " | ".join(FIGURES.values()) + " | seeds |"
    yield "|---" * (len(FIGURES) + 2) + "|"
    lead = Score(corpus, [first_sentence(corpus, source) for source in read_all_lines(corpus.raw / "test.src")])
    yield "| first sentence | " + " | ".join(f"{value:.2f}" for value in lead.figures) + " | |"
    for system in dict.fromkeys(trial.system for trial in scores):
        runs = np.stack([score.figures for trial, score in scores.items() if trial.system == system])  # [seeds, 3]
        spread = [f" ± {around:.2f}" for around in runs.std(axis=0, ddof=1)] if len(runs) > 1 else [""] * len(FIGURES)
        cells = [f"{value:.2f}{around}" for value, around in zip(runs.mean(axis=0), spread)]
        yield f"| {system} | " + " | ".join(cells) + f" | {len(runs)} |"


def first_sentence(corpus: Corpus, source: str) -> str:
    """The first sentence of a source, after what is no prose."""
    return SENTENCE_END.split(re.sub(corpus.before_prose, "", source, count=1), maxsplit=1)[0]


def differences(scores: Scores, contrasts: dict[str, list[str]]) -> Iterator[str]:
    """Paired bootstrap of the mean of some systems against that of others, over the same examples and all seeds."""
    if contrasts:
        yield "| difference | " + " | ".join(f"{name} [95 %], p" for name in FIGURES.values()) + " | ROUGE-L by seed |"
        yield "|---" * (len(FIGURES) + 2) + "|"
    for name, patterns in contrasts.items():
        sides = [[trial for trial in scores if fnmatchcase(trial.system, pattern)] for pattern in patterns]
        if all(sides):
            yield f"| {name} | " + " | ".join([*tested(scores, *sides), by_seed(scores, *sides)]) + " |"


def tested(scores: Scores, ours: list[Trial], theirs: list[Trial]) -> Iterator[str]:
    """A cell a figure."""
    values = mean([scores[trial].figures for trial in ours]) - mean([scores[trial].figures for trial in theirs])
    samples = [mean([scores[trial].samples for trial in side]) for side in (ours, theirs)]
    for value, our_samples, their_samples in zip(values, *samples):
        found = difference(float(value), our_samples, their_samples)
        yield f"{value:+.2f} [{found.interval.low:+.2f}, {found.interval.high:+.2f}], {found.p:.3f}"


def by_seed(scores: Scores, ours: list[Trial], theirs: list[Trial]) -> str:
    """The difference of the last figure, seed by seed."""
    found = []
    for seed in sorted({trial.seed for trial in ours} & {trial.seed for trial in theirs}):
        sides = [[scores[trial].figures[-1] for trial in side if trial.seed == seed] for side in (ours, theirs)]
        found.append(f"{mean(sides[0]) - mean(sides[1]):+.2f}")
    return ", ".join(found)


def mean(values: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of some arrays of the same shape."""
    return np.mean(np.stack(values), axis=0)
