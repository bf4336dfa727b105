"""ROUGE (Lin, 2004) as the script ROUGE-1.5.5 counts it with the options ``-m -a``, without Perl."""

from .counts import Counts, count_overlap
from .words import WordReader, stemmed_words, words_of_any_script

__all__ = ["Counts", "WordReader", "count_overlap", "stemmed_words", "words_of_any_script"]
