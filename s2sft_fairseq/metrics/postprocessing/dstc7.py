"""The tokens on which DSTC7's script compares responses (its option --clean): nltk's of tweets, contractions apart."""

import re

from ..extras import load

ADDRESS = "__url__"
WORD_WITH_ADDRESS = re.compile(r"(\S*?)http\S*")
LINK = re.compile(r"\[([^\]]*)\] \( *URL *\)")
OTHER_SIGNS = re.compile(r"[^A-Za-z0-9():,.!?\"']")
IRREGULAR = (("won't", "will n't"), ("can't", "can n't"))
ENDINGS = ("'s", "'m", "'re", "n't", "'ll", "'ve", "'d", "'em")


def dstc7_tokens(text: str) -> str:
    """A response in lower case, its tokens between spaces; addresses are ``__url__``, signs of other scripts are lost.

    Raises:
        UserError: nltk is not installed.
    """
    tweets = load("nltk.tokenize", package="nltk", purpose="--postprocess dstc7").TweetTokenizer()
    text = WORD_WITH_ADDRESS.sub(r"\1 URL", " ".join(text.lower().split())).replace(ADDRESS, "URL")
    text = OTHER_SIGNS.sub(" ", LINK.sub(r"\1", text)).replace("URL", ADDRESS)
    text = f" {' '.join(tweets.tokenize(text))} "
    for whole, parts in IRREGULAR:
        text = text.replace(f" {whole} ", f" {parts} ")
    for ending in ENDINGS:
        text = text.replace(f"{ending} ", f" {ending} ")
    return " ".join(text.split())
