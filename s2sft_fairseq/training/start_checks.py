"""What is refused before a model is built, because fairseq would fail on it later, or silently ignore it."""

from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Sequence

import torch

from ..common.errors import UserError
from ..models.precision import FLOAT16_ON_CPU
from .changed_settings import LAST
from .criterion import SlotCriterion
from .finetuning_options import TaskOptions
from .validation_options import check_validation


def check_architecture(cfg: Any) -> None:
    """Raises UserError unless the options of a checkpoint's model are those of ``--arch s2s_ft``."""
    if getattr(cfg, "finetune_method", None) is None:
        found = getattr(cfg, "_name", None) or getattr(cfg, "arch", None)
        raise UserError(f"the checkpoint holds a model of --arch {found}; expected one of --arch s2s_ft")


@contextmanager
def damage_reported(cfg: Any) -> Iterator[None]:
    """Turns whatever a checkpoint's options raise (of another model, of wrong types or sizes) into a UserError."""
    try:
        check_architecture(cfg)
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"no model can be built with the checkpoint's options ({type(error).__name__}: {error}); they are damaged, "
            "or from a version that differs too much"
        ) from error


def check_training(cfg: TaskOptions, *, logged: Sequence[str] = SlotCriterion.logged) -> None:
    """Raises UserError for options with which training cannot start, or would go wrong in silence.

    Args:
        cfg: the task's.
        logged: names of the figures that validation logs without generating.
    """
    if (cfg.num_shards, cfg.shard_id) != (1, 0):
        raise UserError("--num-shards and --shard-id divide what is generated or validated; leave them out")
    if cfg.fp16 and (cfg.cpu or not torch.cuda.is_available()):
        raise UserError(FLOAT16_ON_CPU)
    check_validation(cfg, logged)
    if cfg.restore_file != LAST and not Path(cfg.restore_file).is_file():
        raise UserError(f"--restore-file: no checkpoint {cfg.restore_file}; expected an existing one, or no such flag")
