"""Long sources: what is kept is short enough, is a part of the source, has the answer, and is the best there is."""

import itertools
import random
import re
from pathlib import Path
from typing import Dict, List, NamedTuple

import pytest
from commands import mistake, run, write_lines
from hypothesis import given, settings
from hypothesis import strategies as st
from text_families import FAMILIES, real_lines, unicode_lines

from s2sft_fairseq import select_chunk
from s2sft_fairseq.text.passage_selection import KEEP
from s2sft_fairseq.text.tokenizers.auto import AutoTokenizer
from s2sft_fairseq.text.tokenizers.tokenizer import Tokenizer, TokenizerOptions

COMMAND = ["python", "-m", "s2sft_fairseq.select_chunk"]
WORDS = [word for line in real_lines()[:300] for word in line.split()]


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Tokenizer]:
    """The encoder of each family, on files of its own."""
    made = {name: family.make(tmp_path_factory.mktemp("text") / "side") for name, family in FAMILIES.items()}
    return {name: AutoTokenizer.build_bpe(TokenizerOptions(s2s_ft_vocab=str(path))) for name, path in made.items()}


def pieces(tokenizer: Tokenizer, text: str) -> int:
    """How many pieces a text has by itself."""
    return len(tokenizer.encode(text).split())


def kept(tokenizer: Tokenizer, source: str, query: str, *, limit: int, keep: str) -> str:
    """What is kept of one source."""
    (chunk,) = select_chunk.chunks(tokenizer, [(source, query)], limit=limit, keep=keep)
    return chunk


class Case(NamedTuple):
    """A source of words, a run of its words, and a limit that each word keeps."""

    words: List[str]
    first: int
    last: int
    limit: int

    @property
    def source(self) -> str:
        return " ".join(self.words)

    @property
    def answer(self) -> str:
        return " ".join(self.words[self.first : self.last])


def random_case(tokenizer: Tokenizer, seed: int) -> Case:
    """Real words in random order, some of them twice, an answer of one to three words among them."""
    rng = random.Random(seed)
    limit = rng.randint(6, 25)
    usable = [word for word in rng.sample(WORDS, 60) if pieces(tokenizer, word) <= limit]
    words = rng.choices(usable, k=rng.randint(3, 30))
    first = rng.randrange(len(words) - 2)
    return Case(words, first, first + rng.randint(1, 3), limit)


def test_a_source_that_is_short_enough_stays(tokenizers: Dict[str, Tokenizer]) -> None:
    source = "  Two  words,\tand 今天天气. "
    for tokenizer in tokenizers.values():
        assert kept(tokenizer, source, "words", limit=pieces(tokenizer, source), keep="answer") == source
        assert kept(tokenizer, source, "words", limit=pieces(tokenizer, source) - 1, keep="answer") != source


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("keep", KEEP)
@settings(max_examples=40, deadline=None)
@given(number=st.integers(0, 1999), limit=st.integers(1, 30), place=st.floats(0, 1), length=st.integers(0, 12))
def test_never_longer_and_always_a_part(
    tokenizers: Dict[str, Tokenizer], family: str, keep: str, number: int, limit: int, place: float, length: int
) -> None:
    """Whatever the text: words, runs of signs of every kind, Chinese without spaces, one endless word."""
    tokenizer = tokenizers[family]
    real, signs = (lines[number % len(lines)] for lines in (real_lines(), unicode_lines()))
    for source in (real, signs, real.replace(" ", "")):
        start = int(place * len(source))
        chunk = kept(tokenizer, source, source[start : start + length], limit=limit, keep=keep)
        assert chunk in source
        assert pieces(tokenizer, chunk) <= limit


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(60))
def test_contains_the_answer_if_it_fits(tokenizers: Dict[str, Tokenizer], family: str, seed: int) -> None:
    tokenizer = tokenizers[family]
    case = random_case(tokenizer, seed)
    alone = pieces(tokenizer, case.answer)
    in_source = pieces(tokenizer, f"a {case.answer}") - pieces(tokenizer, "a")  # with the space before it
    chunk = kept(tokenizer, case.source, case.answer, limit=case.limit, keep="answer")
    if max(alone, in_source) <= case.limit:
        assert case.answer in chunk
    assert pieces(tokenizer, chunk) <= case.limit


def all_windows(tokenizer: Tokenizer, case: Case) -> List[range]:
    """All runs of words that are short enough by themselves."""
    runs = (range(i, j) for i, j in itertools.combinations(range(len(case.words) + 1), 2))
    return [run for run in runs if pieces(tokenizer, text(case, run)) <= case.limit]


def text(case: Case, run: range) -> str:
    return " ".join(case.words[run.start : run.stop])


@pytest.mark.parametrize("seed", range(60))
def test_overlap_equals_brute_force(tokenizers: Dict[str, Tokenizer], seed: int) -> None:
    """The most distinct words of the question, then the earliest, then the longest."""
    tokenizer = tokenizers["BERT"]
    case = random_case(tokenizer, seed)
    question = " ".join(random.Random(seed).choices([*case.words, "Absent"], k=6)).upper()

    def shared(run: range) -> int:
        return len(set(re.findall(r"\w+", text(case, run).upper())) & set(re.findall(r"\w+", question)))

    best = max(all_windows(tokenizer, case), key=lambda run: (shared(run), -run.start, run.stop))
    found = kept(tokenizer, case.source, question, limit=case.limit, keep="overlap")
    assert found == (case.source if pieces(tokenizer, case.source) <= case.limit else text(case, best))


@pytest.mark.parametrize("seed", range(60))
def test_answer_equals_brute_force(tokenizers: Dict[str, Tokenizer], seed: int) -> None:
    """The most pieces on the poorer side of any occurrence, then the earliest, then the longest."""
    tokenizer = tokenizers["BERT"]
    case = random_case(tokenizer, seed)._replace(limit=30)
    width = case.last - case.first

    def context(run: range) -> int:
        starts = [i for i in run if case.words[i : i + width] == case.words[case.first : case.last]]
        sides = [
            (text(case, range(run.start, i)), text(case, range(i + width, run.stop)))
            for i in starts
            if i + width <= run.stop
        ]
        return max((min(pieces(tokenizer, side) for side in both) for both in sides), default=-1)

    best = max(all_windows(tokenizer, case), key=lambda run: (context(run), -run.start, run.stop))
    found = kept(tokenizer, case.source, case.answer, limit=case.limit, keep="answer")
    if len(re.findall(re.escape(case.answer), case.source)) > 1:
        assert case.answer in found  # as a part of another word, too: more occurrences than whole words
    else:
        assert found == (case.source if pieces(tokenizer, case.source) <= case.limit else text(case, best))


def test_the_choices_differ(tokenizers: Dict[str, Tokenizer]) -> None:
    """Or the tests above would not tell one from another."""
    tokenizer, source = tokenizers["BERT"], "one two three four five six seven eight nine ten eleven twelve"
    limit = pieces(tokenizer, "six seven eight nine ten")
    found = {keep: kept(tokenizer, source, "Eleven or twelve", limit=limit, keep=keep) for keep in KEEP}
    assert found["head"].startswith("one two") and found["overlap"].endswith("eleven twelve")
    assert found["answer"] == found["overlap"], "the answer is not there as it stands"
    answered = kept(tokenizer, source, "EIGHT", limit=limit, keep="answer")
    assert " eight " in answered and answered != found["overlap"], "as it is nowhere in capitals, case does not count"


def test_chinese_is_cut_between_characters(tokenizers: Dict[str, Tokenizer]) -> None:
    source = "今天天气很好，我们一起去公园吧！你觉得怎么样？"
    chunk = kept(tokenizers["BERT"], source, "公园", limit=6, keep="answer")
    assert "公园" in chunk and chunk in source and pieces(tokenizers["BERT"], chunk) == 6


class TestCommand:
    """``python -m s2sft_fairseq.select_chunk``, whose lines are those of the functions above."""

    @pytest.fixture
    def files(self, tmp_path: Path) -> Path:
        FAMILIES["BERT"].make(tmp_path / "bert")
        write_lines(tmp_path / "in", ["one two three four five", "", "six seven eight nine"])
        write_lines(tmp_path / "query", ["five", "x", "absent"])
        return tmp_path

    def command(self, files: Path, *more: object) -> List[object]:
        return [*COMMAND, "--s2s-ft-vocab", files / "bert", "--limit", 3, "--keep", "answer", *more]

    @pytest.mark.slow
    def test_two_files_and_tabs_give_the_same(self, files: Path) -> None:
        run(self.command(files, "--input", files / "in", "--query", files / "query", "--output", files / "out"))
        lines = [f"{a}\t{b}" for a, b in zip(*((files / name).read_text().splitlines() for name in ("in", "query")))]
        done = run(self.command(files), stdin="".join(f"{line}\n" for line in lines).encode())
        assert (files / "out").read_text() == done.out
        first, empty, third = done.out.split("\n")[:-1]
        assert "five" in first and empty == "" and third and "six seven eight nine".startswith(third)
        assert "2 of 3 sources had more than 3 pieces" in done.err
        assert sorted(path.name for path in files.iterdir()) == ["bert", "in", "out", "query"]

    @pytest.mark.slow
    def test_mistakes_leave_nothing(self, files: Path) -> None:
        write_lines(files / "short", ["five"])
        out = ["--output", files / "out"]
        assert "ends before line 2" in mistake(
            self.command(files, "--input", files / "in", "--query", files / "short", *out)
        )
        assert "line 1 has no TAB" in mistake(self.command(files, "--input", files / "in", *out))
        assert "No such file" in mistake(self.command(files, "--input", files / "absent", *out), fork=False)
        assert not list(files.glob("out*"))


def test_help_names_the_sections_of_the_paper() -> None:
    """004: question answering, with the overlap of words, is section 3.2, question generation section 3.3."""
    said = " ".join(str(select_chunk.__doc__).split())
    assert re.search(r"--keep answer .*\(question generation, paper 004 section 3\.3\) --keep overlap", said)
    assert re.search(r"--keep overlap .*\(question answering, section 3\.2\)", said)
