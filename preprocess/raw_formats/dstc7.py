"""DSTC7, end-to-end conversation modeling (Galley et al., 2019): a web page and what was said are read.

SPLIT.convos.txt has seven columns, the third naming the conversation and the last two being the context, its turns
parted by EOS, and the response. SPLIT.facts.txt has five; the third (as the script writes them) or the fourth (as its
README says) names the conversation that the last is about. SPLIT.refs has the responses that count when outputs are
scored, SCORE|TEXT in each column behind the first, which is that of a conversation's line; keys/SPLIT.2k.txt names the
lines that are scored at all.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from .files import find, numbered_lines, read_lines, require
from .records import Example, Records, expect

CONVERSATIONS = ("{}.convos.txt", "*{}*convos*")
FACTS = ("{}.facts.txt", "*{}*facts*")
REFERENCES = ("{}.refs", "{}.refs.txt", "*{}*refs*")
KEYS = ("{}.2k.txt", "keys.2k.txt")
CONVERSATION_COLUMNS = 7  # hash, subreddit, conversation, score, turn, context, response
FACT_COLUMNS = 5  # hash, subreddit, conversation, domain, fact
FACT_CONVERSATION = (2, 3)
REFERENCE_COUNT, HUMAN = 6, 1  # the script takes six, but the third instead of the second, the human of the comparison
UNDISCLOSED = "__UNDISCLOSED__"
TURN_END = re.compile(r"(?:^|\s)EOS(?=\s|$)")
START = re.compile(r"\s*START(?=\s|$)")

References = Optional[dict[str, list[str]]]


def read(raw: Path, split: str, records: Records) -> Iterator[Example]:
    """Yields every response with what came before it; of a split with keys, those that they name."""
    path = require(raw, CONVERSATIONS, split)
    facts = facts_of(find(raw, FACTS, split)[:1], path, records)
    references = references_of(find(raw, REFERENCES, split)[:1], records)
    keys = keys_of(find(raw, KEYS, split)[:1]) if split == "test" else {}
    wanted = dict(keys)
    for place, line in numbered_lines(path):
        name = line.partition("\t")[0]
        if not keys or wanted.pop(name, ""):
            yield from records.take(place, response, line, facts, references)
    for name, place in wanted.items():
        records.report(place, f"no conversation {name} in {path}")


def facts_of(paths: list[Path], conversations: Path, records: Records) -> dict[str, list[str]]:
    """The facts beside each conversation; there may be no file of them."""
    found: dict[str, list[str]] = defaultdict(list)
    names = {name for line in read_lines(conversations) for name in line.split("\t")[2:3]} if paths else set()
    for place, line in (numbered for path in paths for numbered in numbered_lines(path)):
        cells = line.split("\t")
        if len(cells) < FACT_COLUMNS:
            records.report(place, f"{len(cells)} columns; expected {FACT_COLUMNS}, the last a fact")
            continue
        for name in [cells[column] for column in FACT_CONVERSATION if cells[column] in names][:1]:
            found[name].append(cells[FACT_COLUMNS - 1])
    return found


def references_of(paths: list[Path], records: Records) -> References:
    """The responses that count, by the line of their conversation; None if there is no file of them."""
    found: dict[str, list[str]] = {}
    for place, line in (numbered for path in paths for numbered in numbered_lines(path)):
        name, *cells = line.split("\t")
        if cells and all("|" in cell for cell in cells):
            found[name] = scored([cell.partition("|")[2] for cell in cells])
        else:
            records.report(place, "expected a key, and SCORE|RESPONSE in every other column")
    return found if paths else None


def scored(responses: list[str]) -> list[str]:
    """Those of a line's references that the script of the organizers takes; all of them if there are fewer than six."""
    if len(responses) < REFERENCE_COUNT:
        return responses
    return [responses[number + 1 if number == HUMAN else number] for number in range(REFERENCE_COUNT)]


def keys_of(paths: list[Path]) -> dict[str, str]:
    """The lines that are scored, and where that is said."""
    return {name.strip(): place for path in paths for place, name in numbered_lines(path) if name.strip()}


def response(line: str, facts: dict[str, list[str]], references: References) -> Example:
    """The facts and the context, and the response as the target."""
    cells = line.split("\t")
    expected = f"expected {CONVERSATION_COLUMNS}, the last two context and response"
    expect(len(cells) == CONVERSATION_COLUMNS, f"{len(cells)} columns; {expected}")
    name, *_, context, said = cells
    targets = [said] if references is None else references.get(name, [])
    expect(targets and targets != [UNDISCLOSED], f"no response to {name} that counts; expected SPLIT.refs to have it")
    turns = tuple(filter(None, map(str.strip, TURN_END.split(START.sub("", context, count=1)))))
    return Example(
        " ".join(facts.get(cells[2], [])),
        targets[0],
        turns=turns,
        keep="overlap",
        query=turns[-1] if turns else "",
        others=tuple(targets[1:]),
    )
