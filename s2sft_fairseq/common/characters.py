"""Ranges of characters of scripts without spaces between words, for use inside ``[...]`` in a regular expression.

BERT's own list of Chinese characters names those blocks of plane 2 that existed in its Unicode version. Here both
ideographic planes are included entirely, so that later additions count as well.
"""

IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Chinese characters, including those used in Japanese and Korean."""

KANA = "\u3040-\u30ff"
"""Hiragana and katakana."""

WIDE_SIGNS = "\u3000-\u303f\uff00-\uffef"
"""CJK punctuation, and full-width and half-width forms."""

HANGUL = "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"
"""Korean syllables and letters; spaces separate phrases instead of words."""

SOUTH_EAST_ASIAN = (
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f\ua980-\ua9ff\uaa60-\uaadf"
)
"""Thai, Lao, Tibetan, Burmese, Khmer, Tai Le, New Tai Lue, Tai Tham, Balinese, Javanese and Tai Viet."""
