"""The formats in which the papers' data sets are published: one reader a file, found by its name."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from . import columns, coqa, dstc7, persona_chat, squad, stories, xnlg, xsum
from .records import Example, Records

Reader = Callable[[Path, str, Records], Iterator[Example]]
"""Takes the folder of a data set, the split (train, valid, test) and what keeps account of malformed records."""

FORMATS: dict[str, Reader] = {
    "stories": stories.read,
    "xsum": xsum.read,
    "columns": columns.read,
    "columns-10k": columns.read_small,
    "headlines-fr": partial(xnlg.read_headlines, language="fr"),
    "headlines-zh": partial(xnlg.read_headlines, language="zh"),
    "squad": squad.read,
    "squad-reversed": squad.read_reversed,
    "webqa": partial(xnlg.read_questions, language="zh"),
    "coqa": coqa.read,
    "dstc7": dstc7.read,
    "persona-chat": persona_chat.read,
}
