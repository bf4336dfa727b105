"""The place in which the pages' commands are run: a checkout with what a reader has at hand."""

import json
from pathlib import Path

from blocks_run import run_block
from commands import ROOT, SPECIAL, WORDS, make_bert, write_lines
from pages import README, Block, blocks

SAID = "one more document to summarize and another a little longer than the first . ,"
"""The words of the pages' examples."""


def own_data() -> Block:
    """The README's commands for own data, on which the other pages build."""
    return next(block for block in blocks(README) if "fairseq-preprocess" in block.text)


def write_texts(folder: Path) -> None:
    """What a reader brings along: pairs whose sources have two parts, tables, articles, plain text, tokens, codes."""
    for split in ("train", "valid", "test"):
        write_lines(folder / "raw" / f"{split}.src", ["w1 w2 w3 [SEP] w7", "w4 [SEP] w5", "w5 w6 [SEP] w8 w9"] * 5)
        write_lines(folder / "raw" / f"{split}.tgt", ["w1 w2 w3", "w4", "w5 w6"] * 5)
        write_lines(folder / f"{split}.jsonl", [json.dumps({"document": "w1 w2 w3", "summary": "w2"})] * 5)
    write_lines(folder / "raw" / "train.answer", ["w2", "w4", "w5"] * 5)
    write_lines(folder / "articles.txt", ["w1 w2 w3", "w4 , w5 ."] * 3)
    write_lines(folder / "other-system.txt", ["w1 w2", "w4", "w6"] * 5)
    write_lines(folder / "new_tokens.txt", ["[NEW]"])
    write_lines(folder / "codes", ["#version: 0.2", "w 1</w>"])
    for name in ("text0.train", "text1.train", "text.valid"):
        write_lines(folder / name, ["w1 w2 w3 w4 w5 w6 w7 w8 w9", "w1 w2 w3", ""] * 10)


def make_workplace(folder: Path) -> None:
    """A checkout with an encoder and texts, after the README's commands for own data."""
    for name in ("preprocess", "s2sft_fairseq", "examples"):
        (folder / name).symlink_to(ROOT / name)
    make_bert(folder / "BERT", [*SPECIAL, *WORDS, *dict.fromkeys(SAID.split())])
    write_texts(folder)
    run_block(own_data(), folder)
