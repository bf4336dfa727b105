"""WordPiece's words as tokens of the Penn Treebank, in which CNN/DailyMail, Gigaword and SQuAD's references come."""

import string
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

PUNCTUATION = string.punctuation
UPPER_BRACKETS = {"(": "-LRB-", ")": "-RRB-", "[": "-LSB-", "]": "-RSB-", "{": "-LCB-", "}": "-RCB-"}
LOWER_BRACKETS = {bracket: name.lower() for bracket, name in UPPER_BRACKETS.items()}


def penn_tokens(
    text: str, *, names: Mapping[str, str] = UPPER_BRACKETS, rules: Optional[Sequence["Rule"]] = None
) -> str:
    """Joins what WordPiece parts and the Penn Treebank does not, and writes quotes and brackets as it does.

    ``don ' t`` becomes ``do n't``, ``$ 3 , 000`` becomes ``$ 3,000`` and ``"`` becomes two back quotes or two
    apostrophes. The rules are those of the evaluation of s2s-ft (reference P1), under which the papers' figures were
    measured, oddities included: ``U . S . A .`` becomes ``U.S. . A .``.

    Args:
        text: tokens between spaces.
        names: tokens that are written otherwise.
        rules: those for marks, all by default.
    """
    return " ".join(Rewriter(text.split(), names, RULES if rules is None else rules).rewrite())


class Rewriter:
    """Reads tokens from left to right and writes them anew, by the first rule that knows what comes.

    A rule looks at the tokens from :attr:`place` on, writes, and returns how many it has read: none if it is not meant.
    """

    def __init__(self, tokens: List[str], names: Mapping[str, str], rules: Sequence["Rule"]) -> None:
        self.tokens = tokens
        self.names = names
        self.rules = rules
        self.place = 0
        self.written: List[str] = []
        self.inside: Dict[str, bool] = {'"': False, "'": False}
        self.after_hyphen = False

    def rewrite(self) -> List[str]:
        """All tokens."""
        while self.place < len(self.tokens):
            read, hyphen = self.step()
            self.place += read
            self.after_hyphen = hyphen
        return self.written

    def step(self) -> Tuple[int, bool]:
        """How many tokens the first rule that is meant has read, and whether it was a hyphen that joins words."""
        for rule in self.rules if self.ahead() in MARKS else WORD_RULES:
            read = rule(self)
            if read:
                return read, rule is Rewriter.hyphen
        raise AssertionError("the last rule takes every token")

    def ahead(self, distance: int = 0) -> str:
        """A token that is not read yet, empty after the last."""
        place = self.place + distance
        return self.tokens[place] if place < len(self.tokens) else ""

    def last(self) -> str:
        """The last token written, empty before the first."""
        return self.written[-1] if self.written else ""

    def write(self, token: str, *, read: int = 1) -> int:
        """Writes a token of its own."""
        self.written.append(token)
        return read

    def append(self, piece: str, *, read: int = 1) -> int:
        """Adds to the last token."""
        self.written[-1] += piece
        return read

    def name(self) -> int:
        """Tokens with another name."""
        name = self.names.get(self.ahead())
        return 0 if name is None else self.write(name)

    def double_quote(self) -> int:
        """Opening and closing ones by turns."""
        return self.quote('"', opening="``", closing="''")

    def negation(self) -> int:
        """Don ' t -> do n't."""
        if (self.ahead(), self.ahead(1)) != ("'", "t") or not self.last().endswith("n"):
            return 0
        self.written[-1] = self.last()[:-1]
        return self.write("n't", read=2)

    def clitic(self) -> int:
        """It ' s -> it 's."""
        if self.ahead() != "'" or self.ahead(1) not in ("s", "d", "ll"):
            return 0
        return self.write("'" + self.ahead(1), read=2)

    def single_quote(self) -> int:
        """Opening and closing ones by turns."""
        return self.quote("'", opening="`", closing="'")

    def quote(self, mark: str, *, opening: str, closing: str) -> int:
        """A quotation mark."""
        if self.ahead() != mark:
            return 0
        self.inside[mark] = not self.inside[mark]
        return self.write(opening if self.inside[mark] else closing)

    def ellipsis(self) -> int:
        """Three points."""
        return self.write("...", read=3) if all(self.ahead(distance) == "." for distance in range(3)) else 0

    def thousands(self) -> int:
        """3 , 000 -> 3,000."""
        if self.ahead() != "," or not (is_number(self.last()) and is_number(self.ahead(1))):
            return 0
        return self.append("," + self.ahead(1), read=2)

    def decimals(self) -> int:
        """3 . 14 -> 3.14."""
        if self.ahead() != "." or not (self.last().isdigit() and self.ahead(1).isdigit()):
            return 0
        return self.append("." + self.ahead(1), read=2)

    def initials(self) -> int:
        """U . N . -> U.N. with a point left over, as the second is read again; those of longer names stay apart."""
        if self.ahead() != "." or not (is_initial(self.last()) and is_initial(self.ahead(1)) and self.ahead(2) == "."):
            return 0
        end = 3
        while is_initial(self.ahead(end + 1)) and self.ahead(end + 2) == ".":
            end += 2
        return self.append("".join(self.tokens[self.place : self.place + end]), read=2)

    def dash(self) -> int:
        """Two hyphens."""
        return self.write("--", read=2) if (self.ahead(), self.ahead(1)) == ("-", "-") else 0

    def hyphen(self) -> int:
        """Well - known -> well-known: here its first half."""
        if self.ahead() != "-" or self.last() in PUNCTUATION or self.ahead(1)[:1] in PUNCTUATION:  # as nothing is
            return 0
        return self.append("-")

    def second_half(self) -> int:
        """What follows a hyphen that joins words."""
        return self.append(self.ahead()) if self.after_hyphen and self.ahead()[0] not in PUNCTUATION else 0

    def other(self) -> int:
        """Any other token stays as it is."""
        return self.write(self.ahead())


Rule = Callable[[Rewriter], int]
RULES: Tuple[Rule, ...] = (
    Rewriter.name,
    Rewriter.double_quote,
    Rewriter.negation,
    Rewriter.clitic,
    Rewriter.single_quote,
    Rewriter.ellipsis,
    Rewriter.thousands,
    Rewriter.decimals,
    Rewriter.initials,
    Rewriter.dash,
    Rewriter.hyphen,
    Rewriter.second_half,
    Rewriter.other,
)

MARKS = frozenset("\"'.,-")
WORD_RULES: Tuple[Rule, ...] = (Rewriter.name, Rewriter.second_half, Rewriter.other)
"""Those that are meant for other tokens than marks."""

PLAIN_RULES = tuple(
    rule for rule in RULES if rule not in (Rewriter.double_quote, Rewriter.single_quote, Rewriter.dash, Rewriter.hyphen)
)
"""Those that leave quotes and hyphens as they are."""


def is_number(token: str) -> bool:
    """Whether a token is of digits and commas."""
    return token != "" and all(character.isdigit() or character == "," for character in token)


def is_initial(token: str) -> bool:
    """Whether a token is one capital letter."""
    return len(token) == 1 and token.isupper()
