"""Ranges of characters that stand for words without spaces between them, for use inside ``[...]`` of a pattern.

BERT's own list of Chinese characters names the blocks of plane 2 that its Unicode version had. Here both ideographic
planes are taken whole, so that what has been added to them since counts as well.
"""

IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Chinese characters, as Japanese and Korean use them too."""

KANA = "\u3040-\u30ff"
"""Hiragana and katakana."""

WIDE_SIGNS = "\u3000-\u303f\uff00-\uffef"
"""Punctuation and letters as wide as an ideograph, and what is as narrow as half of one."""
