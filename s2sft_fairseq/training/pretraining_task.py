"""The task ``s2s_pretraining``: monolingual text, shard by shard, under a pre-training objective."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from fairseq.data import FairseqDataset
from fairseq.dataclass import ChoiceEnum
from fairseq.tasks import register_task

from ..common.errors import UserError
from ..common.registered_options import check_declared, with_options_of
from ..data.binarized import BinarizedSplit, data_folder, data_folders, shared_vocabulary
from ..data.text_dataset import TextBlocks, TextDataset, document_bounds
from ..models.seq2seq_model import S2SFTModel
from ..objectives.finetuning import OBJECTIVES
from ..objectives.pretraining import PRETRAINING
from ..objectives.source_layouts import LAYOUTS
from ..text.dictionary import PretrainedDictionary
from .criterion import SlotCriterion
from .finetuning_options import TaskOptions
from .finetuning_task import S2SFTTask
from .loss_parts import log_names
from .new_model import NewModel
from .start_checks import check_training
from .validation_options import metric_names

logger = logging.getLogger(__name__)

SHORTEST = 8
"""The least room for a text that leaves a source and a target some words each."""


@with_options_of(PRETRAINING)
@dataclass
class PretrainingOptions(TaskOptions):
    """The options of fine-tuning, and the objective."""

    objective: ChoiceEnum(sorted(PRETRAINING)) = field(  # type: ignore[valid-type]
        default="ernie_gen", metadata={"help": "pre-training objective: how a text becomes an example"}
    )
    text_positions: Optional[int] = field(
        default=None,
        metadata={
            "help": "maximum length of a text, special tokens included, and rows of the position table (default: "
            "--max-source-positions); source and target of the pre-trained model share them"
        },
    )


@register_task("s2s_pretraining", dataclass=PretrainingOptions)
class PretrainingTask(S2SFTTask):
    """Pre-trains a model on monolingual text, for the fine-tuning method ``--finetune-method``.

    DATA is the output of ``fairseq-preprocess --only-source``, or several such folders separated by colons (shards),
    which take turns from epoch to epoch.
    """

    cfg: PretrainingOptions
    label_smoothing = 0.0  # the papers' losses are plain likelihoods

    @classmethod
    def setup_task(cls, cfg: PretrainingOptions, **kwargs: Any) -> "PretrainingTask":
        """Loads the vocabulary beside the binarized data, which all shards must share.

        Raises:
            UserError: no data directory, no vocabulary in it, or different ones.
        """
        return cls(cfg, shared_vocabulary({folder: cls.vocabulary_of(folder) for folder in data_folders(cfg.data)}))

    @classmethod
    def vocabulary_of(cls, folder: Path) -> PretrainedDictionary:
        """The vocabulary of monolingual data; raises UserError if there is none."""
        path = folder / "dict.txt"
        if not path.is_file():
            raise UserError(f"no {path}; expected the output of fairseq-preprocess --only-source for monolingual text")
        return cls.load_dictionary(path)

    @property
    def losses(self) -> Tuple[str, ...]:  # type: ignore[override]
        """The parts of the loss that are logged apart."""
        return self.pretraining.losses

    def check_training(self) -> None:
        """As for fine-tuning; a text alone has no reference that could be scored.

        Raises:
            UserError: what fine-tuning refuses, or validation by generation.
        """
        asked = metric_names(self.cfg)
        if asked:
            raise UserError(
                f"--eval-metric {','.join(asked)} scores pairs, and --task s2s_pretraining has text alone; leave "
                "--eval-rouge, --eval-bleu and --eval-metric out"
            )
        objective = PRETRAINING[str(self.cfg.objective)]
        names = log_names(objective.loss_names(self.cfg), pairs=bool(objective.output_heads(self.cfg)))
        check_training(self.cfg, logged=(*SlotCriterion.logged, *names))

    def build_model(self, cfg: Any, from_checkpoint: bool = False) -> S2SFTModel:
        """As for fine-tuning; the objective decides what its models have, unless the user does.

        Raises:
            UserError: what fine-tuning refuses, or a layout of sources in parts, which a text does not have.
        """
        if LAYOUTS[str(cfg.source_layout)].parts:
            raise UserError(
                f"--source-layout {cfg.source_layout}: a text has no parts; pre-train without it, and fine-tune with it"
            )
        if not from_checkpoint:
            cfg.update(self.decided_options(cfg))
        return super().build_model(cfg, from_checkpoint)

    def decided_options(self, cfg: Any) -> Dict[str, Any]:
        """What a new model has because of the objective, and for texts of the chosen length."""
        objective = PRETRAINING[str(self.cfg.objective)]
        decided = {name: value for name, value in objective.model_options.items() if cfg[name] is None}
        method = OBJECTIVES[str(decided.get("finetune_method") or cfg.finetune_method)]
        flag = "--text-positions" if self.cfg.text_positions is not None else "--max-source-positions"
        positions = cfg.max_source_positions if self.cfg.text_positions is None else self.cfg.text_positions
        self.cfg.text_positions = positions
        source, target = shared_positions(
            positions, flag=flag, extra=method.extra_positions, target=cfg.max_target_positions
        )
        lengths = {"max_source_positions": source, "max_target_positions": target}
        return {**decided, **lengths, "output_heads": ",".join(objective.output_heads(self.cfg))}

    def adopt(self, planned: NewModel) -> None:
        """As for fine-tuning; then the objective, which needs the method's layout.

        Raises:
            UserError: what fine-tuning refuses, or an option that belongs to another objective.
        """
        chosen = str(self.cfg.objective)
        check_declared(self.cfg, chosen, PRETRAINING, "--objective")
        super().adopt(planned)
        self.pretraining = PRETRAINING[chosen](self.objective, self.dictionary, self.cfg)

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs: Any) -> None:
        """Loads a split, of the epoch's shard; only training data get noise.

        Raises:
            UserError: the split is missing, has no text, or not what the objective needs; before training begins, the
                same of any shard.
        """
        if split == self.cfg.train_subset and split not in self.datasets:
            for shard in data_folders(self.cfg.data):
                self.lines(shard, split)
        folder = data_folder(self.cfg.data, epoch)
        lines = self.lines(folder, split)
        positions = self.cfg.text_positions or self.model_cfg.max_source_positions
        max_length = positions - self.pretraining.special_tokens
        texts = TextBlocks(lines, max_length=max_length, pad=self.dictionary.pad(), unk=self.dictionary.unk())
        logger.info(f"{folder}, {split}: {len(texts):,} texts of up to {max_length} tokens out of {len(lines):,} lines")
        seed = self.cfg.seed if split == self.cfg.train_subset else None
        self.datasets[split] = TextDataset(texts, objective=self.pretraining, seed=seed)

    def lines(self, folder: Path, split: str) -> FairseqDataset:
        """The lines of a split in one shard.

        Raises:
            UserError: as :meth:`load_dataset`.
        """
        lines = BinarizedSplit(folder / split, self.dictionary, self.cfg.dataset_impl).lines()
        if lines is None:
            raise UserError(f"no split {split!r} in {folder}; expected the output of fairseq-preprocess --only-source")
        documents = len(document_bounds(lines)) - 1
        if not documents:
            raise UserError(f"{folder}: split {split!r} has no text; expected lines with at least one token")
        self.pretraining.check(documents, where=f"{folder}: split {split!r}")
        return lines


def shared_positions(positions: int, *, flag: str, extra: int, target: int) -> Tuple[int, int]:
    """Maximum lengths of source and target that share the positions of a text; the target gets at most half of them.

    Args:
        positions: of the longest text, special tokens included.
        flag: where the user chose it.
        extra: positions that the fine-tuning method needs beside source and target.
        target: the maximum length of a target, if there is room for it.

    >>> shared_positions(512, flag="--text-positions", extra=0, target=64)
    (448, 64)

    Raises:
        UserError: too few positions for both.
    """
    if positions < SHORTEST + extra:
        raise UserError(
            f"{flag} is {positions}; expected at least {SHORTEST + extra}, room for a text with its special tokens"
        )
    target = min(target, (positions - extra) // 2)
    return positions - extra - target, target
