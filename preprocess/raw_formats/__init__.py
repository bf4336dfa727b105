"""The formats in which the papers' data sets are published: one reader a file, found by its name."""

from functools import partial

from . import coqa, dstc7, persona_chat, squad, stories, xnlg, xsum
from .columns import read as read_columns
from .columns import read_small, unless_pairs
from .records import Reader

FORMATS: dict[str, Reader] = {
    "stories": unless_pairs(stories.read),
    "xsum": unless_pairs(xsum.read),
    "columns": read_columns,
    "columns-10k": read_small,
    "headlines-fr": partial(xnlg.read_headlines, language="fr"),
    "headlines-zh": partial(xnlg.read_headlines, language="zh"),
    "squad": unless_pairs(squad.read),
    "squad-reversed": squad.reversed_split(unless_pairs(squad.read)),
    "webqa": unless_pairs(partial(xnlg.read_questions, language="zh")),
    "coqa": unless_pairs(coqa.read),
    "dstc7": unless_pairs(dstc7.read),
    "persona-chat": unless_pairs(persona_chat.read),
}
"""The readers; each takes pairs that are pairs already as well."""
