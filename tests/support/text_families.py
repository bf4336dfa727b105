"""Text, and the text side of tiny pretrained models of every family, trained on it in the published layouts."""

import io
import json
import random
import re
import sysconfig
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

import sentencepiece
from commands import write_lines
from docstrings import read_docstrings
from tokenizers import ByteLevelBPETokenizer
from transformers import BertTokenizerFast, PreTrainedTokenizerBase, RobertaTokenizerFast, XLMRobertaTokenizerFast
from wordpiece_vocabulary import train_vocabulary

LINES = 2000
LANGUAGES = [
    "Le château était très élevé ; l'été, à côté, où naît la forêt, il n'y a qu'un garçon naïf.",
    "今天天气很好，我们一起去公园吧！你觉得怎么样？",
    "東京で新しい本を読んだ。カタカナも使います。",
    "مرحبا بالعالم، هذا نصٌّ عربيٌّ قصيرٌ للتجربة.",
    "שלום עולם, זהו משפט קצר בעברית.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "한국어 문장도 하나 있어야 합니다.",
    "हिन्दी में भी एक छोटा वाक्य चाहिए।",
    "Iz İstanbul'da ığdır; Straße, ﬁne ligatures, ½ and ² — “quotes” …",
]
SPECIAL = ["<mask>", "<s>", "</s>", "<pad>", "<unk>", "[SEP]", "[MASK]", "[UNK]", "[CLS]", "[unused0]", "<|endoftext|>"]
ALPHABETS: List[Sequence[str]] = [
    [chr(code) for code in range(0x300, 0x370)],  # combining marks
    [chr(code) for code in range(0x590, 0x700)],  # right to left
    [chr(code) for code in range(0x900, 0x980)],
    [*"🙂👩💻👨👧🏽🇫🇷❤☃", "\u200d", "\ufe0f", "\U000e0067"],
    [chr(code) for code in range(0xA0) if not chr(code).isprintable() and chr(code) != "\n"],
    ["\u00a0", "\u1680", "\u2003", "\u200b", "\u2028", "\u2029", "\u202f", "\u3000", "\ufeff", "\t", "\x1c", "\x85"],
    [chr(code) for code in (*range(0x1100, 0x11FF), *range(0xAC00, 0xAC40))],
    [*"今天漢字，。！カタカナ", "\U00020000"],
    [*"abcEFéñÅßﬁǅİıſ", "e\u0301", "A\u030a"],
    [*".,!?'\"()-/#_\\", "▁", "##", "Ġ", " ", "  "],
    SPECIAL,
]


@cache
def real_lines() -> Tuple[str, ...]:
    """Sentences of the standard library's docstrings, and of other languages between them."""
    lines: List[str] = []
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        for docstring in read_docstrings(path):
            lines += [docstring.summary, *re.split(r"(?<=[.!?]) ", docstring.prose)]
        if len(lines) >= LINES:
            break
    assert len(set(lines)) >= LINES / 2
    return (*(line for line in lines if line), *LANGUAGES * 30)


@cache
def unicode_lines() -> Tuple[str, ...]:
    """Runs of signs of every kind, a few words among them."""
    rng, words = random.Random(3), " ".join(LANGUAGES).split()
    lines = []
    for _ in range(LINES):
        runs = [rng.choices(rng.choice(ALPHABETS), k=rng.randint(1, 4)) for _ in range(rng.randint(1, 8))]
        parts = ["".join(run) for run in runs] + rng.choices(words, k=rng.randint(0, 3))
        rng.shuffle(parts)
        lines.append("".join(part + rng.choice(["", " "]) for part in parts))
    assert any(unicodedata.combining(sign) for line in lines for sign in line)
    return tuple(lines)


class Family(NamedTuple):
    """How to write the text side of a tiny model, and the published tokenizer that reads it."""

    make: Callable[[Path], Path]
    tokenizer: Callable[..., PreTrainedTokenizerBase]
    kind: str


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def bert(directory: Path, **config: Any) -> Path:
    """vocab.txt, and tokenizer_config.json if there is something to say."""
    cased = config.get("do_lower_case") is False
    write_lines(directory / "vocab.txt", trained_wordpiece(cased))
    if config:
        write_json(directory / "tokenizer_config.json", config)
    return directory


@cache
def trained_wordpiece(cased: bool) -> Tuple[str, ...]:
    return (*train_vocabulary(real_lines(), size=3000, alphabet=400, cased=cased), "[unused0]")


def roberta(directory: Path, **config: Any) -> Path:
    """vocab.json and merges.txt."""
    tokens, merges = trained_byte_bpe()
    directory.mkdir(exist_ok=True)
    write_json(directory / "vocab.json", {token: row for row, token in enumerate(tokens)})
    write_lines(directory / "merges.txt", ["#version: 0.2", *merges])
    if config:
        write_json(directory / "tokenizer_config.json", config)
    return directory


@cache
def trained_byte_bpe() -> Tuple[List[str], List[str]]:
    """Tokens in RoBERTa's order, and merges."""
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(real_lines(), vocab_size=2000, show_progress=False)
    ids: Dict[str, int] = tokenizer.get_vocab()
    merges = json.loads(tokenizer._tokenizer.to_str())["model"]["merges"]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ids, key=ids.__getitem__), "madeupword0000", "<mask>"]
    return tokens, [" ".join(merge) for merge in merges]


def xlmr(directory: Path) -> Path:
    """sentencepiece.bpe.model"""
    directory.mkdir(exist_ok=True)
    (directory / "sentencepiece.bpe.model").write_bytes(trained_sentencepiece())
    return directory


@cache
def trained_sentencepiece(**options: Any) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(real_lines()),
        model_writer=model,
        vocab_size=1500,
        normalization_rule_name="nmt_nfkc",
        minloglevel=2,
        **options,
    )
    return model.getvalue()


FAMILIES = {
    "BERT": Family(bert, BertTokenizerFast, "WordPieceTokenizer"),
    "BERT cased": Family(
        lambda directory: bert(directory, do_lower_case=False), BertTokenizerFast, "WordPieceTokenizer"
    ),
    "RoBERTa": Family(roberta, RobertaTokenizerFast, "ByteBPETokenizer"),
    "XLM-R": Family(xlmr, XLMRobertaTokenizerFast, "SentencePieceTokenizer"),
}
