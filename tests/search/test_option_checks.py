"""Search flags that cannot work end in one line that names them; tokens that may repeat, or never come."""

from argparse import Namespace
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
import pytest
import torch
from builders import METHODS, UNK, VOCABULARY, ids
from commands import PLUGIN, flags, generate_command, hypotheses, mistake, run
from fairseq.dataclass.configs import GenerationConfig
from search_models import decided_model, generate, leaning_to_the_end, ngrams, some_sources

from s2sft_fairseq.common.errors import NO_ALIGNMENT, UserError, one_line
from s2sft_fairseq.search.ngram_blocking import NGramBlocker
from s2sft_fairseq.search.option_checks import check_search
from s2sft_fairseq.search.options import SearchOptions, generator_arguments
from s2sft_fairseq.text.dictionary import PretrainedDictionary

SIZE = len(VOCABULARY)
TARGETS = Namespace(tgt=object(), tgt_sizes=np.array([4, 9, 2]))
"""Stands for a data set: the longest target has eight words and an end."""

REFUSED: List[Tuple[Dict[str, Any], str]] = [
    (dict(beam=SIZE), f"--beam {SIZE} with a vocabulary of {SIZE} tokens; expected at most {SIZE - 1}"),
    (dict(beam=SIZE // 2 + 1, constraints="ordered"), f"expected at most {SIZE // 2}$"),
    (dict(beam=SIZE // 2 + 1, diversity_rate=0.5), f"expected at most {SIZE // 2}$"),
    (dict(beam=0), "--beam is 0"),
    (dict(nbest=0), "--nbest is 0"),
    (dict(nbest=6), "--nbest 6 with --beam 5"),
    (dict(min_len=-1), "--min-len is -1"),
    (dict(max_len_a=-0.5), "--max-len-a is -0.5"),
    (dict(lenpen=-1.0), "--lenpen is -1.0"),
    (dict(no_repeat_ngram_size=-2), "--no-repeat-ngram-size is -2"),
    (dict(diverse_beam_groups=5, diverse_beam_strength=-0.5), "--diverse-beam-strength is -0.5"),
    (dict(diversity_rate=-0.5), "--diversity-rate is -0.5"),
    (dict(temperature=0.0), "--temperature is 0.0"),
    (dict(temperature=-1.0), "--temperature is -1.0"),
    (dict(temperature=float("nan")), "--temperature is nan"),
    (dict(diverse_beam_groups=2), "--beam 5 in --diverse-beam-groups 2"),
    (dict(diverse_beam_groups=0), "--beam 5 in --diverse-beam-groups 0"),
    (dict(sampling_topk=3), "--sampling-topk needs --sampling"),
    (dict(sampling_topp=0.5), "--sampling-topp needs --sampling"),
    (dict(sampling=True, sampling_topk=3, sampling_topp=0.5), "use only one of them"),
    (dict(sampling=True, sampling_topp=0.0), "--sampling-topp is 0.0"),
    (dict(sampling=True, sampling_topp=1.5), "--sampling-topp is 1.5"),
    (dict(sampling=True, sampling_topp=-0.5), "--sampling-topp is -0.5"),
    (dict(sampling=True, sampling_topk=0), "--sampling-topk is 0"),
    (dict(sampling=True, sampling_topk=SIZE + 1), f"--sampling-topk is {SIZE + 1}; expected 1 to {SIZE}"),
    (dict(sampling=True, diverse_beam_groups=5), "--sampling and --diverse-beam-groups are different kinds of search"),
    (dict(sampling=True, constraints="ordered"), "--sampling and --constraints are"),
    (dict(diverse_beam_groups=5, diversity_rate=0.1), "--diverse-beam-groups and --diversity-rate are"),
    (dict(match_source_len=True, diversity_rate=0.0), "--diversity-rate and --match-source-len are"),
    (dict(match_source_len=True, min_len=3), "leave --min-len 3 out"),
    (dict(prefix_size=9), "--prefix-size 9 but targets have at most 8 tokens"),
    (dict(prefix_size=-1), "--prefix-size is -1"),
    (dict(replace_unk="@@ "), "--replace-unk: this model has no cross-attention"),
    (dict(print_alignment="hard"), "--print-alignment: this model has no cross-attention"),
    (dict(print_step=True), "--print-step"),
]

ACCEPTED: List[Dict[str, Any]] = [
    {},
    dict(beam=SIZE - 1, nbest=SIZE - 1),
    dict(beam=SIZE // 2, nbest=5, constraints="unordered"),
    dict(unkpen=-3.0, lenpen=0.0, min_len=0, max_len_a=1.0, max_len_b=-1),
    dict(sampling=True, sampling_topk=SIZE, temperature=0.1),
    dict(sampling=True, sampling_topp=1.0),
    dict(beam=6, diverse_beam_groups=3, diverse_beam_strength=0.0),
    dict(diversity_rate=0.0),
    dict(match_source_len=True),
    dict(prefix_size=8),
    dict(score_reference=True),
]


@pytest.mark.parametrize(("given", "says"), REFUSED, ids=lambda value: str(value)[:60])
def test_refused(given: Dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        check_search(Namespace(**given), [TARGETS], SIZE)


@pytest.mark.parametrize("given", ACCEPTED, ids=str)
def test_accepted(given: Dict[str, Any]) -> None:
    """As a namespace with those flags alone, and as fairseq's own configuration."""
    check_search(Namespace(**given), [TARGETS], SIZE)
    check_search(GenerationConfig(**given), [TARGETS], SIZE)


@pytest.mark.parametrize("flag", ["score_reference", "prefix_size"])
def test_targets_are_needed(flag: str) -> None:
    with pytest.raises(UserError, match="needs targets, but the data have none"):
        check_search(Namespace(**{flag: 1}), [TARGETS, Namespace(tgt=None, tgt_sizes=None)], SIZE)


TOKENS: List[Tuple[Dict[str, Any], Dict[str, Any], str]] = [
    (dict(suppress_tokens="w1 wx"), {}, "--suppress-tokens: no token 'wx' in the vocabulary; expected tokens as"),
    (dict(suppress_tokens="W1"), {}, "did you mean w1"),
    (dict(suppress_tokens="[SEP]"), {}, "no hypothesis can end without this token"),
    (dict(no_repeat_ngram_ignore="the"), dict(no_repeat_ngram_size=3), "--no-repeat-ngram-ignore: no token 'the'"),
    (dict(no_repeat_ngram_ignore="w1"), {}, "--no-repeat-ngram-ignore needs --no-repeat-ngram-size"),
]


@pytest.mark.parametrize(("options", "args", "says"), TOKENS, ids=lambda value: str(value)[:60])
def test_refused_tokens(options: Dict[str, Any], args: Dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        generator_arguments(SearchOptions(**options), Namespace(**args), VOCABULARY)


def test_tokens_are_told_apart_by_spaces() -> None:
    options = SearchOptions(suppress_tokens=" w1  [UNK] ", no_repeat_ngram_ignore="w2 w3")
    made = generator_arguments(options, Namespace(no_repeat_ngram_size=3), VOCABULARY)
    assert made["suppressed"] == {*ids("w1").tolist(), UNK}
    assert made["repeatable"] == set(ids("w2 w3").tolist())


def test_tokens_may_repeat_at_the_start_of_a_word_too() -> None:
    """Byte-level BPE and SentencePiece have a second full stop, after a space; --suppress-tokens names one token."""
    dictionary = PretrainedDictionary(["<s>", "<pad>", "</s>", "<unk>", ".", "Ġ.", ",", "Ġ,", "▁.", "Ġa", "<mask>"])
    options = SearchOptions(no_repeat_ngram_ignore=". Ġa", suppress_tokens=",")
    made = generator_arguments(options, Namespace(no_repeat_ngram_size=3), dictionary)
    assert {dictionary[token] for token in made["repeatable"]} == {".", "Ġ.", "▁.", "Ġa"}
    assert {dictionary[token] for token in made["suppressed"]} == {","}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (dict(min_len=7, max_len_b=6), "--min-len 7 but hypotheses have at most 6"),
        (dict(min_len=60, max_len_b=200), "--min-len 60 but hypotheses have at most 59"),
        (dict(min_len=9, max_len_a=1.0, max_len_b=0), "--min-len 9 but hypotheses have at most"),
        (dict(max_len_b=-2), "--min-len 1 but hypotheses have at most -2"),
    ],
    ids=str,
)
def test_lengths(options: Dict[str, Any], says: str) -> None:
    """Against each other, against the model, and against the source at hand."""
    model = decided_model("causal")
    with pytest.raises(UserError, match=says):
        generate(model, some_sources(model), beam_size=2, **options)


@pytest.mark.parametrize("method", METHODS)
def test_where_no_new_word_is_left_words_repeat(method: str) -> None:
    """Three words, none twice, eight at least: blocked words are better than none, with the model's scores."""
    model = leaning_to_the_end(decided_model(method), -50.0)
    for hypotheses_of_one in generate(
        model, some_sources(model), beam_size=3, min_len=8, max_len_b=9, no_repeat_ngram_size=1
    ):
        assert hypotheses_of_one
        for tokens, score in hypotheses_of_one:
            assert len(tokens) >= 9 and len(set(tokens[:3])) == 3
            assert score > -100


@pytest.mark.parametrize("size", [1, 2, 3])
def test_tokens_that_may_repeat(size: int) -> None:
    """s2s-ft: an n-gram is free when its last token or one of those before it may repeat. Told by trying each token."""
    torch.manual_seed(size)
    tokens = torch.cat([torch.zeros(40, 1, dtype=torch.int64), torch.randint(7, 11, (40, 14))], dim=1)
    ignored = {8, 10}
    blocked = NGramBlocker(size, ignored)(tokens, torch.zeros(40, SIZE), 8, 5, 14)
    freed = 0
    for row, scores in zip(tokens[:, 1:].tolist(), blocked):
        seen = set(ngrams(tuple(row), size))
        for token in range(SIZE):
            gram = (*row[len(row) - size + 1 :], token)
            repeats = gram in seen
            freed += repeats and bool(ignored.intersection(gram))
            assert (scores[token] == -torch.inf) == (repeats and not ignored.intersection(gram))
    assert freed


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("--sampling requires --nbest to be equal to --beam", "--sampling requires --nbest to be equal to --beam"),
        ("--replace-unk requires a raw text dataset", NO_ALIGNMENT.format(flag="--replace-unk")),
        ("Must specify batch size either with --max-tokens or --batch-size",) * 2,
        ("something else", None),
    ],
)
def test_what_fairseq_asserts_of_flags_is_one_line(message: str, words: str) -> None:
    assert one_line(AssertionError(message)) == words


@pytest.mark.slow
class TestCommands:
    """The flags on the command line."""

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (dict(beam=200), "--beam 200"),
            (dict(sampling=True, nbest=5, diverse_beam_groups=5), "different kinds of search"),
            (dict(sampling=True), "--sampling requires --nbest"),
            (dict(replace_unk=True), "no cross-attention"),
            (dict(min_len=50), "--min-len 50 but hypotheses have at most 9"),
            (dict(prefix_size=40), "--prefix-size 40"),
            (dict(suppress_tokens="nowhere"), "no token 'nowhere'"),
            (dict(constraints="ordered"), "expected fairseq-interactive"),
        ],
        ids=str,
    )
    def test_mistakes(self, data: Path, imported: Dict[str, Path], options: Dict[str, object], says: str) -> None:
        assert says in mistake(generate_command(data, imported["causal"], **options))

    def test_tokens(self, data: Path, imported: Dict[str, Path]) -> None:
        """They pass from the command line to the search."""
        options = dict(beam=3, batch_size=50, max_len_b=8, min_len=8, no_repeat_ngram_size=1)

        def texts(**more: object) -> List[List[str]]:
            out = run(generate_command(data, imported["causal"], **options, **more)).out
            return [h.text.split() for found in hypotheses(out).values() for h in found]

        plain = texts()
        assert all(len(set(words)) == len(words) for words in plain)
        common = max({w for words in plain for w in words}, key=lambda word: sum(word in words for words in plain))
        assert not any(common in words for words in texts(suppress_tokens=f"{common} [UNK]"))
        assert any(words.count(common) > 1 for words in texts(no_repeat_ngram_ignore=f"{common} [UNK]"))

    def test_interactive(self, data: Path, imported: Dict[str, Path]) -> None:
        """Buffers of any size give the same lines in the same order; a bad constraint is one line."""
        command = ["fairseq-interactive", data, *PLUGIN, "--path", imported["masked"], "--cpu"]
        lines = "".join(f"w{n} w{n + 1} w2\n" * (n % 3 + 1) for n in range(12)).encode()
        outputs = [
            hypotheses(run([*command, *flags(dict(buffer_size=size, batch_size=batch, beam=3))], stdin=lines).out)
            for size, batch in ((1, 1), (7, 3), (100, 100))
        ]
        assert list(outputs[0]) == list(range(lines.count(b"\n")))
        for other in outputs[1:]:
            assert [h[0].text for h in other.values()] == [h[0].text for h in outputs[0].values()]
        assert "unknown or special" in mistake([*command, "--constraints"], stdin=b"w1 w2\tw3 nowhere\n")
        assert "--batch-size cannot be larger" in mistake([*command, "--batch-size", 9], stdin=b"w1\n")
