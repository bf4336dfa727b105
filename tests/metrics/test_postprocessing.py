"""Outputs take the form of the papers' references, step by step (reference P1, P2, P3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2sft_fairseq.metrics.postprocessing.dstc7 import dstc7_tokens
from s2sft_fairseq.metrics.postprocessing.penn_treebank import LOWER_BRACKETS, penn_tokens
from s2sft_fairseq.metrics.postprocessing.steps import cnndm, postprocess
from s2sft_fairseq.metrics.texts import Texts

PENN = {
    'he said : " no "': "he said : `` no ''",
    "' yes ' , ' no '": "` yes ' , ` no '",
    "we don ' t": "we do n't",
    "can ' t": "ca n't",
    "it ' s , he ' d , they ' ll": "it 's , he 'd , they 'll",
    "$ 1 , 000 , 000": "$ 1,000,000",
    "3 . 14": "3.14",
    "at 3 . then": "at 3 . then",
    "wait . . . what": "wait ... what",
    "well - known": "well-known",
    "state - of - the - art": "state-of-the-art",
    "no - - yes": "no -- yes",
    "- at the start , at the end -": "- at the start , at the end -",
    "( a ) [ b ] { c }": "-LRB- a -RRB- -LSB- b -RSB- -LCB- c -RCB-",
    "the U . S . army": "the U.S. . army",
    "U . S . A . now": "U.S. . A . now",
    "A . then": "A . then",
    "A , B . C": "A , B . C",
    "U . N . x A . y": "U.N.xA . x A . y",  # an oddity
    "U . N . x b . y": "U.N. . x b . y",
    "U . N . x A b": "U.N. . x A b",
    "": "",
}
CNNDM = {
    "one two three four five [X_SEP] six seven eight nine ten": "one two three four five\nsix seven eight nine ten",
    "only four tokens here [X_SEP] this one has five tokens": "this one has five tokens",
    "a b c d e [X_SEP] E D C B f": "a b c d e",  # 4 of 5 words are known
    "a b c d e [X_SEP] a b c f g": "a b c d e\na b c f g",
    "a b c d e [X_SEP] a b c d f [X_SEP] f g h i j": "a b c d e\nf g h i j",
    "he (or she) said so today": "he -LRB- or she -RRB- said so today",
    "see a[b] for the rest": "see a -LSB- b -RSB- for the rest",
    "[X_SEP]": "",
    "": "",
}


@pytest.mark.parametrize("text", PENN)
def test_penn_tokens(text: str) -> None:
    assert penn_tokens(text) == PENN[text]


def test_lower_case_brackets() -> None:
    assert penn_tokens("( a )", names=LOWER_BRACKETS) == "-lrb- a -rrb-"


@given(st.lists(st.sampled_from(["a", "n", "t", "x-", "3", ",", ".", "-", "...", "é", "!"])))
def test_nothing_is_lost(tokens: list) -> None:
    """Where there are no quotes, brackets or initials, only spaces go."""
    assert penn_tokens(" ".join(tokens)).replace(" ", "") == "".join(tokens)


@pytest.mark.parametrize("text", CNNDM)
def test_cnndm(text: str) -> None:
    assert cnndm(text) == CNNDM[text]


def one(hypothesis: str, reference: str, *names: str, **options: int) -> tuple:
    """A pair after these steps."""
    texts = postprocess(Texts([hypothesis], [[reference]]), names, **options)
    return texts.hypotheses[0], texts.references[0][0]


@pytest.mark.parametrize(
    ("most_words", "lines"), [({}, (50, 10)), ({"most_words": 55}, (50, 5)), ({"most_words": 0}, (50, 20))]
)
def test_cnndm_is_cut(most_words: dict, lines: tuple) -> None:
    first, second = (
        " ".join(f"{letter}{number}" for number in range(count)) for letter, count in (("a", 50), ("b", 20))
    )
    text, _ = one(f"{first} [X_SEP] {second}", "", "cnndm", **most_words)
    assert tuple(len(line.split()) for line in text.split("\n")) == lines


def test_a_cut_at_the_end_of_a_sentence_leaves_no_empty_one() -> None:
    assert one("a b c d e [X_SEP] f g h i j", "", "cnndm", most_words=5)[0] == "a b c d e"


def test_cnndm_reference() -> None:
    assert one("", " a b <S_SEP> c d \n", "cnndm")[1] == "a b\nc d"


def test_gigaword() -> None:
    text = "the ( [UNK] ) index & rate rose 1 . 11 %"
    assert one("<unk> <", "", "gigaword")[0] == "UNK &lt;"
    assert one(text, "1 (", "gigaword") == ("the -lrb- UNK -rrb- index &amp; rate rose #.## %", "1 (")


def test_xsum() -> None:
    """Quotes and hyphens stay apart, square brackets stay; what is left is as in CNN/DailyMail."""
    text = "\" it ' s \" - ' U . N . ' don ' t [ 1 , 000 ] - - 3 . 5 . . . (x)"
    found = "\" it 's \" - ' U.N. . ' do n't [ 1,000 ] - - 3.5 ... -LRB- x -RRB- "
    assert one(text, "(", "xsum") == (found, "(")


def test_wordpiece() -> None:
    assert one("un ##believ ##able ##", "a ##b", "wordpiece") == ("unbelievable", "a ##b")


def test_steps_in_order() -> None:
    assert one("we say no ##w : don ' t", "", "wordpiece", "cnndm")[0] == "we say now : do n't"


def test_apart_makes_tokens_of_detokenized_outputs() -> None:
    texts = Texts(["The cat's toy (red) isn't here.[X_SEP] It sat on 1,000 mats."], [["it 's <S_SEP> do n't"]])
    found = postprocess(texts, ["apart", "cnndm"])
    assert found.hypotheses == ["The cat 's toy -LRB- red -RRB- is n't here .\nIt sat on 1,000 mats ."]
    assert found.references == [["it 's\ndo n't"]]


def test_basic_parts_punctuation_and_chinese_characters_on_both_sides() -> None:
    found = postprocess(Texts(["何时?[UNK]"], [["it's 何时"]]), ["basic"])
    assert (found.hypotheses, found.references) == (["何 时 ? [UNK]"], [["it ' s 何 时"]])


DSTC7 = {
    " I don't know:). how about this?https://github.com": "i do n't know :) . how about this ? __url__",
    "[GitHub] (https://github.com)": "github ( __url__",
    "please try [ GitHub ] ( https://github.com )": "please try github",
    "we can't, they'll: it's [x] <b> caf\u00e9 __url__": "we can n't , they 'll : it 's x b caf __url__",
    "I'm sure We're late: I've said they'd won't GET'EM": "i 'm sure we 're late : i 've said they 'd will n't get 'em",
    "\u2028": "",
}


@pytest.mark.parametrize("text", DSTC7)
def test_dstc7(text: str) -> None:
    """The first and the third are those of the script itself."""
    assert dstc7_tokens(text) == DSTC7[text]
