"""The one table of Chinese and Japanese characters, beside the one that BERT's published tokenizer goes by."""

import re
import sys
import unicodedata

from s2sft_fairseq.common.characters import IDEOGRAPHS, KANA, WIDE_SIGNS

BERTS = (
    *((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F)),
    *((0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)),
)
"""Ranges in google-research/bert, tokenization.py, ``_is_chinese_char``."""

SIGNS = [chr(code) for code in range(sys.maxunicode + 1)]


def matched(ranges: str) -> set:
    return set(re.findall(f"[{ranges}]", "".join(SIGNS)))


def test_ideographs_are_those_of_bert_and_of_later_unicode() -> None:
    berts = {chr(code) for first, last in BERTS for code in range(first, last + 1)}
    found = matched(IDEOGRAPHS)
    assert berts <= found
    assert all(0x20000 <= ord(sign) < 0x40000 for sign in found - berts)
    named = {sign for sign in SIGNS if unicodedata.name(sign, "").startswith("CJK ")}
    unified = {sign for sign in named if "UNIFIED" in unicodedata.name(sign)}
    assert unified <= found


def test_kana_and_wide_signs_are_no_ideographs() -> None:
    assert {"あ", "ン", "ー"} <= matched(KANA)
    assert {"。", "　", "！", "Ａ"} <= matched(WIDE_SIGNS)
    assert not matched(KANA) & matched(IDEOGRAPHS) and not matched(WIDE_SIGNS) & matched(IDEOGRAPHS + KANA)


def test_words_with_spaces_between_them_are_in_no_table() -> None:
    assert not re.search(f"[{IDEOGRAPHS}{KANA}{WIDE_SIGNS}]", "aé8 한국어 ไทย українська")
