"""Which slot may attend to which: the one rule behind every objective.

A context slot (group 0) is a real token. It sees all that was known up to its own step, itself included. A query slot
(group > 0) sees what was known strictly before its step, and the queries of its own group. Nobody else sees a query,
and nobody sees padding. Source slots are known from the start (step 0).

This single predicate draws Figure 2 of s2s-ft (000), Figures 4 and 5 of UniLMv2 (001), Figure 3d of ERNIE-GEN (003)
and Figure 1 of UniLM (004). ``position`` takes no part in it: only ``step`` decides.
"""

from torch import Tensor

from .slots import Slots


def visible(query: Slots, key: Slots) -> Tensor:
    """Whether each slot of ``query`` [B, Lq] may attend to each of ``key`` [B, Lk]: bool [B, Lq, Lk]."""
    q_step, q_group = query.step.unsqueeze(2), query.group.unsqueeze(2)
    k_step, k_group = key.step.unsqueeze(1), key.group.unsqueeze(1)
    earlier = k_step < q_step
    same_step = (k_step == q_step) & (q_group == 0)
    return ((k_group == 0) & (earlier | same_step)) | ((k_group > 0) & (k_group == q_group))
