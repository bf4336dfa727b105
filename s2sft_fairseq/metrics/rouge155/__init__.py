"""ROUGE (Lin, 2004) as the script ROUGE-1.5.5 counts it with the options ``-m -a``, without Perl."""

from .counts import Counts, count_overlap
from .files2rouge_scores import files2rouge_scores
from .printed import Printed, read_printed
from .words import WordReader, stemmed_words, words_of_any_script

__all__ = [
    "Counts",
    "Printed",
    "WordReader",
    "count_overlap",
    "files2rouge_scores",
    "read_printed",
    "stemmed_words",
    "words_of_any_script",
]
