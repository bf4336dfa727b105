"""Shards of a split or a text (``--num-shards``, ``--shard-id``), whose results together are those of the whole."""

import logging
import sys
from typing import Any, Dict, Mapping

from ..common.errors import UserError
from ..common.host import fairseq_command

logger = logging.getLogger(__name__)


def check_shard(shard: int, count: int) -> None:
    """Raises UserError unless a shard is one of ``count``."""
    if count < 1:
        raise UserError(f"--num-shards is {count}; expected 1 or more")
    if not 0 <= shard < count:
        raise UserError(f"--shard-id is {shard}; expected 0 to {count - 1}, as --num-shards is {count}")


def batches_of_shard(shard: int, count: int, options: Mapping[str, Any]) -> Dict[str, Any]:
    """The options of fairseq's ``get_batch_iterator`` that select every ``count``-th batch, from number ``shard`` on.

    The batches are those of the whole, so each sentence is computed in the same company. Several processes
    (``num_shards`` and ``shard_id`` among the options) divide a shard among themselves.
    """
    processes, process = options.get("num_shards", 1), options.get("shard_id", 0)
    return {**options, "num_shards": processes * count, "shard_id": shard + process * count}


def end_without_batches(shard: int, count: int, batches: int) -> None:
    """Ends fairseq-generate, which has written what there is, before it divides by the time that nothing took.

    Args:
        shard, count: which of how many.
        batches: of the whole split.

    Raises:
        UserError: another command has nothing to do.
    """
    if shard < batches:
        return
    found = f"--shard-id {shard} is empty: the split has {batches} batches, fewer than --num-shards {count}"
    if fairseq_command() == "generate":
        logger.warning(found)
        sys.exit(0)
    raise UserError(f"{found}; expected fewer shards, or a smaller --batch-size")


def lines_of_shard(shard: int, count: int, total: int) -> range:
    """The numbers of a shard's lines: consecutive, so that shards in their order are the whole.

    >>> [lines_of_shard(shard, 3, 10) for shard in range(3)]
    [range(0, 3), range(3, 6), range(6, 10)]
    """
    return range(total * shard // count, total * (shard + 1) // count)
