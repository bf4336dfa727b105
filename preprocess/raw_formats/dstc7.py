"""DSTC7, end-to-end conversation modeling (Galley et al., 2019): a web page and what was said are read.

SPLIT.convos.txt has seven columns, the third naming the conversation and the last two being the context, its turns
parted by EOS, and the response; SPLIT.facts.txt has five, the third naming the conversation that the last is about.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from .files import find, numbered_lines, require
from .records import Example, Records, expect

CONVERSATIONS = ("{}.convos.txt", "*{}*convos*")
FACTS = ("{}.facts.txt", "*{}*facts*")
CONVERSATION_COLUMNS = 7  # hash, subreddit, conversation, score, turn, context, response
FACT_COLUMNS = 5  # hash, subreddit, conversation, domain, fact


def read(raw: Path, split: str, records: Records) -> Iterator[Example]:
    """Yields every response with what came before it."""
    path = require(raw, CONVERSATIONS, split)
    facts = facts_of(find(raw, FACTS, split)[:1], records)
    for place, line in numbered_lines(path):
        yield from records.take(place, response, line, facts)


def facts_of(paths: list[Path], records: Records) -> dict[str, list[str]]:
    """The facts beside each conversation; there may be no file of them."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        for place, line in numbered_lines(path):
            cells = line.split("\t")
            if len(cells) < FACT_COLUMNS:
                records.report(place, f"{len(cells)} columns; expected {FACT_COLUMNS}, the last a fact")
            else:
                found[cells[2]].append(cells[FACT_COLUMNS - 1])
    return found


def response(line: str, facts: dict[str, list[str]]) -> Example:
    """The facts and the context, and the response as the target."""
    cells = line.split("\t")
    expected = f"expected {CONVERSATION_COLUMNS}, the last two context and response"
    expect(len(cells) == CONVERSATION_COLUMNS, f"{len(cells)} columns; {expected}")
    *_, context, target = cells
    turns = tuple(turn.strip() for turn in context.removeprefix("START").split("EOS"))
    return Example(
        " ".join(facts.get(cells[2], [])), target, turns=turns, keep="overlap", query=turns[-1] if turns else ""
    )
