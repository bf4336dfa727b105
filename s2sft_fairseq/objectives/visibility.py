"""Which slot may attend to which: the one rule behind every objective.

A context slot (group 0) holds a real token. It sees all context up to and including its own step, itself included. A
query slot (group > 0) sees all context strictly before its step, and the queries of its own group. No other slot sees a
query, and no slot sees padding. Source slots are known from the start (step 0).

This single predicate yields Figure 2 of s2s-ft (000), Figures 4 and 5 of UniLMv2 (001), Figure 3d of ERNIE-GEN (003)
and Figure 1 of UniLM (004). ``position`` plays no part in it; of the order, only ``step`` matters.
"""

from torch import Tensor

from .slots import Slots


def visible(query: Slots, key: Slots) -> Tensor:
    """Whether each slot of ``query`` [B, Lq] may attend to each slot of ``key`` [B, Lk]: bool [B, Lq, Lk].

    A source token, the first target token, and the query that predicts it:

    >>> import torch
    >>> from s2sft_fairseq.objectives.slots import make
    >>> tokens, position = torch.tensor([[7, 8, 9]]), torch.tensor([0, 1, 1])
    >>> step, group = torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1])
    >>> slots = make(tokens, pad=0, position=position, step=step, segment=0, group=group)
    >>> visible(slots, slots).long()
    tensor([[[1, 0, 0],
             [1, 1, 0],
             [1, 0, 1]]])
    """
    q_step, q_group = query.step.unsqueeze(2), query.group.unsqueeze(2)
    k_step, k_group = key.step.unsqueeze(1), key.group.unsqueeze(1)
    earlier = k_step < q_step
    same_step = (k_step == q_step) & (q_group == 0)
    return ((k_group == 0) & (earlier | same_step)) | ((k_group > 0) & (k_group == q_group))
