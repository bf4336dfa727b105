"""GNMT's length penalty (Wu et al., 2016, equation 14), by which all five papers divide the scores of hypotheses."""


def gnmt_penalty(length: int, alpha: float) -> float:
    """What the log-probability of a hypothesis is divided by.

    Args:
        length: how many tokens the hypothesis has, the end token included.
        alpha: how much long hypotheses are favoured; with 0 the log-probability stays as it is.
    """
    return ((5 + length) / 6) ** alpha
