"""Refuses search flags that cannot work, alone or in combination, before the search starts, in one line each."""

from argparse import Namespace
from itertools import chain
from typing import Any, Iterable, Iterator, List, Optional, Set

from fairseq.data import Dictionary, LanguagePairDataset
from fairseq.dataclass.configs import GenerationConfig
from fairseq.token_generation_constraints import unpack_constraints
from torch import Tensor

from ..common.errors import NO_ALIGNMENT, UserError


def check_search(args: Any, datasets: Iterable[LanguagePairDataset], vocabulary_size: int) -> None:
    """Refuses fairseq's search flags that do not work with this model, vocabulary or data.

    Args:
        args: the options of fairseq's ``GenerationConfig``; missing ones have their defaults.
        datasets: the datasets whose targets the search may read.
        vocabulary_size: V, the number of tokens.

    Raises:
        UserError: names the first problem.
    """
    flags = Namespace(**{name: getattr(args, name, default) for name, default in vars(GenerationConfig()).items()})
    problems = chain(
        unsupported(flags),
        exclusive(flags),
        outside_their_range(flags),
        wrong_beams(flags, vocabulary_size),
        wrong_sampling(flags, vocabulary_size),
        wrong_targets(flags, list(datasets)),
    )
    for problem in problems:
        raise UserError(problem)


def unsupported(flags: Namespace) -> Iterator[str]:
    """Flags that need something the model does not have."""
    for name in ("print_alignment", "replace_unk"):
        if getattr(flags, name):
            yield NO_ALIGNMENT.format(flag=spelled(name))
    if flags.print_step:
        yield "--print-step: this model does not generate iteratively, so it has no steps; leave it out"


def exclusive(flags: Namespace) -> Iterator[str]:
    """Flags that each select a different kind of search."""
    chosen = [
        spelled(name)
        for name, unset in (
            ("sampling", False),
            ("diverse_beam_groups", -1),
            ("diversity_rate", -1),
            ("match_source_len", False),
            ("constraints", None),
        )
        if getattr(flags, name) != unset
    ]
    if len(chosen) > 1:
        yield f"{' and '.join(chosen)} are different kinds of search; use only one of them"
    if flags.match_source_len and flags.min_len > GenerationConfig.min_len:
        yield f"--match-source-len determines all lengths; leave --min-len {flags.min_len} out"


def outside_their_range(flags: Namespace) -> Iterator[str]:
    """Numbers that make no sense, whatever the other flags are."""
    for name in ("beam", "nbest"):
        if getattr(flags, name) < 1:
            yield f"{spelled(name)} is {getattr(flags, name)}; expected at least 1"
    for name in ("min_len", "max_len_a", "lenpen", "no_repeat_ngram_size", "prefix_size"):
        if getattr(flags, name) < 0:
            yield f"{spelled(name)} is {getattr(flags, name)}; expected 0 or more"
    if flags.diverse_beam_strength < 0:
        yield f"--diverse-beam-strength is {flags.diverse_beam_strength}; negative, it would reward groups that agree"
    if flags.diversity_rate < 0 and flags.diversity_rate != -1:
        yield f"--diversity-rate is {flags.diversity_rate}; negative, it would reward the worst siblings"
    if not flags.temperature > 0:
        yield f"--temperature is {flags.temperature}; expected more than 0"


def wrong_beams(flags: Namespace, vocabulary_size: int) -> Iterator[str]:
    """Beams that are too wide for the vocabulary, n-best lists longer than the beam, and groups of unequal size."""
    if flags.nbest > flags.beam:
        yield f"--nbest {flags.nbest} with --beam {flags.beam}; expected an --nbest of at most the --beam"
    twice = flags.constraints is not None or flags.diversity_rate != -1
    widest = vocabulary_size // 2 if twice else vocabulary_size - 1
    if flags.beam > widest:
        yield f"--beam {flags.beam} with a vocabulary of {vocabulary_size} tokens; expected at most {widest}"
    groups = flags.diverse_beam_groups
    if groups != -1 and (groups < 1 or flags.beam % groups):
        yield f"--beam {flags.beam} in --diverse-beam-groups {groups}; expected groups of equal size"


def wrong_sampling(flags: Namespace, vocabulary_size: int) -> Iterator[str]:
    """Flags that say what to sample from, in contradiction or out of range."""
    limits = [spelled(name) for name in ("sampling_topk", "sampling_topp") if getattr(flags, name) != -1]
    if limits and not flags.sampling:
        yield f"{limits[0]} needs --sampling; add it, or leave {limits[0]} out"
    if len(limits) > 1:
        yield "--sampling-topk and --sampling-topp exclude each other; use only one of them"
    if flags.sampling_topk != -1 and not 1 <= flags.sampling_topk <= vocabulary_size:
        yield f"--sampling-topk is {flags.sampling_topk}; expected 1 to {vocabulary_size}, the vocabulary size"
    if flags.sampling_topp != -1 and not 0 < flags.sampling_topp <= 1:
        yield f"--sampling-topp is {flags.sampling_topp}; expected a probability above 0 and at most 1"


def wrong_targets(flags: Namespace, datasets: List[LanguagePairDataset]) -> Iterator[str]:
    """Flags that need targets when there are none, and prefixes longer than every target."""
    for name in ("score_reference", "prefix_size"):
        if getattr(flags, name) and any(pairs.tgt is None for pairs in datasets):
            yield f"{spelled(name)} needs targets, but the data have none; binarize both sides"
    if flags.prefix_size and datasets:
        longest = max(int(max(pairs.tgt_sizes, default=1)) - 1 for pairs in datasets)
        if flags.prefix_size > longest:
            yield f"--prefix-size {flags.prefix_size} but targets have at most {longest} tokens; expected no more"


def check_lengths(min_length: int, max_length: int) -> None:
    """Refuses a minimum length above the maximum; neither counts the end token."""
    if min_length > max_length:
        raise UserError(
            f"--min-len {min_length} but hypotheses have at most {max_length} tokens, as --max-len-a, --max-len-b "
            "and the model's --max-target-positions allow no more; expected a smaller --min-len"
        )


def check_constraints(constraints: Optional[Tensor], dictionary: Dictionary, longest: int) -> None:
    """Refuses packed constraints [B, ...] that cannot be generated or do not fit into ``longest`` tokens."""
    if constraints is None:
        raise UserError("--constraints: the input has none; expected fairseq-interactive, which reads them from it")
    special = {dictionary.unk(), dictionary.eos(), dictionary.pad(), dictionary.bos()}
    for phrases in map(unpack_constraints, constraints.cpu()):
        check_phrases(phrases, dictionary, special)
        total = sum(map(len, phrases))
        if total > longest:
            raise UserError(
                f"--constraints: {listed(phrases, dictionary)} have {total} tokens, but hypotheses at most {longest}; "
                "raise --max-len-b, or leave some constraints out"
            )


def check_phrases(phrases: List[Tensor], dictionary: Dictionary, special: Set[int]) -> None:
    """Refuses constraints of one sentence that are empty, or contain unknown or special tokens."""
    for phrase in phrases:
        if not len(phrase):
            raise UserError("--constraints: one of them is empty; expected text after every tab")
        if special.intersection(phrase.tolist()):
            raise UserError(
                f"--constraints: {listed([phrase], dictionary)} has an unknown or special token; expected words of the "
                "vocabulary, tokenized like the sources (--bpe)"
            )


def listed(phrases: List[Tensor], dictionary: Dictionary) -> str:
    """Constraints as text."""
    return ", ".join(repr(" ".join(dictionary[token] for token in phrase.tolist())) for phrase in phrases)


def spelled(name: str) -> str:
    """The flag of an option."""
    return "--" + name.replace("_", "-")
