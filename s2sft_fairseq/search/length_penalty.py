"""GNMT's length penalty (Wu et al., 2016, equation 14), by which all five papers divide the scores of hypotheses."""


def gnmt_penalty(length: int, alpha: float) -> float:
    """The divisor of a hypothesis's log-probability.

    Args:
        length: number of tokens in the hypothesis, the end token included.
        alpha: how strongly long hypotheses are favoured; 0: not at all, the penalty is 1.

    >>> gnmt_penalty(1, alpha=0.9), gnmt_penalty(7, alpha=0.0)
    (1.0, 1.0)
    >>> gnmt_penalty(13, alpha=1.0)  # fairseq's own penalty divides by 13
    3.0
    """
    return ((5 + length) / 6) ** alpha
