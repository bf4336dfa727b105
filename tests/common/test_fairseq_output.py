"""The lines of fairseq-generate's output."""

import pytest

from s2sft_fairseq.common.fairseq_output import Record, parse_record


@pytest.mark.parametrize(
    ("line", "record"),
    [
        ("T-3\tthe reference", Record("T", 3, "the reference")),
        ("H-17\t-0.5\tpie ##ces", Record("H", 17, "-0.5\tpie ##ces")),
        ("D-0\t-0.5\ta\u2028b\tc", Record("D", 0, "-0.5\ta\u2028b\tc")),
        ("P-12\t", Record("P", 12, "")),
    ],
)
def test_records(line: str, record: Record) -> None:
    assert parse_record(line) == record


@pytest.mark.parametrize("line", ["", "S-1\tsource", "H-\ttext", "H-1 text", " H-1\ttext", "Generate test with beam=5"])
def test_other_lines(line: str) -> None:
    assert parse_record(line) is None


def test_text_is_what_follows_the_score() -> None:
    assert Record("D", 0, "-0.5\ta\tb").text() == "a\tb"
    assert Record("H", 0, "-0.5\t").text() == ""
    with pytest.raises(ValueError, match="expected a score and a text"):
        Record("H", 0, "-0.5").text()
