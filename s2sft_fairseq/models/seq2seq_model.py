"""The registered model ``s2s_ft``: one Transformer that scores packed batches in training, and whole targets."""

from functools import cached_property
from typing import Any, Dict, Optional, Tuple

import torch
from fairseq.models import BaseFairseqModel, register_model
from fairseq.tasks import FairseqTask
from omegaconf import DictConfig
from torch import Tensor

from ..common.errors import UserError
from ..objectives.packed_batch import PackedBatch
from ..objectives.slots import IGNORE, PredictionLayout, Slots, lay_out
from .adapters import merge, with_fresh_adapters
from .checkpoints import check_tensors, without_foreign_heads
from .encoder_decoder import SourceEncoder, TargetDecoder
from .layers.attention import FullPass
from .layers.transformer import Transformer
from .options import ModelOptions
from .partial_checkpoints import TrainedPart, check_same_kind
from .precision import PRECISIONS, check_precision, inference_precision
from .retained_dropout import apply_retained_dropout

MODEL_NAME = "s2s_ft"
"""The model's name in ``--arch`` and in checkpoints."""


@register_model(MODEL_NAME, dataclass=ModelOptions)
class S2SFTModel(BaseFairseqModel):
    """A pretrained encoder that generates: source and target share all weights, and there is no cross-attention.

    Args:
        cfg: the options.
        transformer: the only module with weights.
        layout: how the fine-tuning method predicts.

    Attributes:
        part: what its checkpoints hold; None: everything.
        is_prepared: whether it is ready for inference, and cannot be trained any more.
    """

    part: Optional[TrainedPart] = None
    is_prepared = False

    def __init__(self, cfg: ModelOptions, transformer: Transformer, layout: PredictionLayout) -> None:
        super().__init__()
        self.cfg, self.transformer, self.layout = cfg, transformer, layout

    @classmethod
    def build_model(cls, cfg: ModelOptions, task: FairseqTask) -> "S2SFTModel":
        """Raises UserError: only tasks that know neither slots nor a pretrained vocabulary call this."""
        raise UserError(f"--arch {MODEL_NAME} needs --task s2s_ft or s2s_pretraining, found {type(task).__name__}")

    def forward(
        self,
        src_tokens: Optional[Tensor] = None,
        src_lengths: Optional[Tensor] = None,
        prev_output_tokens: Optional[Tensor] = None,
        *,
        packed: Optional[PackedBatch] = None,
        label_smoothing: Optional[float] = None,
    ) -> Tuple[Any, ...]:
        """Scores targets in one of three ways, each a method of its own.

        Our criterion passes a packed batch, with label smoothing for the loss (:meth:`training_loss`), without it for
        logits (:meth:`labelled_logits`). fairseq's scorers pass sources and shifted targets (:meth:`target_logits`).
        All three go through ``forward``, because distributed training wraps no other method.
        """
        if packed is None:
            assert src_tokens is not None and prev_output_tokens is not None
            return self.target_logits(src_tokens, prev_output_tokens), {}
        if label_smoothing is None:
            return self.labelled_logits(packed), {}
        return self.training_loss(packed, label_smoothing)

    def training_loss(self, packed: PackedBatch, label_smoothing: float) -> Tuple[Tensor, Tensor, Optional[Tensor]]:
        """The loss, summed over the labelled slots, [], and the nll of each, [N], both weighted.

        Further the logits of whether second texts are unrelated, [B, 2], if that is predicted.
        """
        hidden, attend = self.needed_hidden(packed)
        labelled = hidden[is_labelled(attend)]
        loss, nll = self.transformer.loss(labelled, packed.labels, label_smoothing, packed.weight)
        if packed.unrelated is None:
            return loss, nll, None
        return loss, nll, self.transformer.pair_logits(attend.batch.padded(hidden)[:, 0])

    def labelled_logits(self, packed: PackedBatch) -> Tensor:
        """The logits at the labelled slots, [N, V], sentence by sentence."""
        hidden, attend = self.needed_hidden(packed)
        return self.transformer.logits(hidden[is_labelled(attend)])

    def target_logits(self, src_tokens: Tensor, prev_output_tokens: Tensor) -> Tensor:
        """The logits of the whole target, without noise, whatever the fine-tuning method.

        Args:
            src_tokens: [B, S], padded on the right.
            prev_output_tokens: the targets as fairseq shifts them, [B, T].

        Returns:
            logits [B, T, V].
        """
        target = self.target_of(prev_output_tokens)
        slots = lay_out(src_tokens, target, self.layout).packed()
        needed = torch.zeros_like(slots.token, dtype=torch.bool)
        needed[:, -target.size(1) :] = True
        hidden = self.hidden(slots, src_tokens.size(1), needed)[:, -target.size(1) :]
        return self.transformer.logits(hidden)

    def needed_hidden(self, packed: PackedBatch) -> Tuple[Tensor, FullPass]:
        """Hidden states of the slots that a loss needs, [n, H], and the pass that they come from."""
        attend = self.full_pass(packed.slots, packed.source_length, packed.needed())
        return self.transformer(attend), attend

    def hidden(self, slots: Slots, source_length: int, needed: Optional[Tensor] = None) -> Tensor:
        """Hidden states of packed slots [B, L], or of those that are needed, [B, L, H], with 0 elsewhere."""
        attend = self.full_pass(slots, source_length, needed)
        return attend.batch.padded(self.transformer(attend))

    def full_pass(self, slots: Slots, source_length: int, needed: Optional[Tensor] = None) -> FullPass:
        """A pass over packed slots [B, L] that yields all hidden states, or those that are needed, bool [B, L]."""
        check_precision(self.transformer)
        return FullPass(slots, source_length, self.transformer.bias, needed)

    def target_of(self, prev_output_tokens: Tensor) -> Tensor:
        """Undoes fairseq's shift: ``prev_output_tokens`` [B, T] → the target [B, T], its tokens, then the end token."""
        length = prev_output_tokens.ne(self.layout.pad).sum(1, keepdim=True)
        target = prev_output_tokens.roll(-1, dims=1)
        order = torch.arange(target.size(1), device=target.device)
        target = target.masked_fill(order.eq(length - 1), self.layout.end)
        return target.masked_fill(order.ge(length), self.layout.pad)

    @cached_property
    def encoder(self) -> SourceEncoder:
        """The view of the model that encodes sources for fairseq's generators."""
        return SourceEncoder(self.transformer, self.layout, max_positions=self.cfg.max_source_positions)

    @cached_property
    def decoder(self) -> TargetDecoder:
        """The view of the model that predicts targets for fairseq's generators."""
        return TargetDecoder(self.transformer, self.layout, max_positions=self.cfg.max_target_positions)

    def state_dict(self, *args: Any, **options: Any) -> Dict[str, Tensor]:
        """The tensors of a checkpoint: all, or only those that were trained (``--save-adapter-only``)."""
        state = super().state_dict(*args, **options)
        return state if self.part is None else self.part.of(state)

    def load_state_dict(self, state_dict: Dict[str, Tensor], *args: Any, **options: Any) -> Any:
        """Loads the tensors of a checkpoint; adapters that it lacks stay as they are.

        Raises:
            UserError: it belongs to other weights or another model.
        """
        check_same_kind(state_dict, partial=self.part is not None)
        own = super().state_dict()
        if self.part is not None:
            state_dict = self.part.completed(state_dict, own)
        else:
            state_dict = with_fresh_adapters(without_foreign_heads(state_dict, own), own)
        check_tensors(state_dict, own)
        return super().load_state_dict(state_dict, *args, **options)

    def prepare_for_inference_(self, cfg: DictConfig) -> None:
        """Merges low-rank adapters, applies precision and ``--retain-dropout``; fairseq-generate calls this.

        fairseq hides ``train`` behind a local function, with which the model could neither be copied nor pickled; here
        :meth:`train` itself refuses.

        Raises:
            UserError: a precision or a dropout that the model cannot have.
        """
        super().prepare_for_inference_(cfg)
        self.__dict__.pop("train", None)
        self.is_prepared = True
        merge(self.transformer)
        PRECISIONS[inference_precision(cfg)](self.transformer)
        generation = cfg.generation
        apply_retained_dropout(
            self.transformer, retain=generation.retain_dropout, modules=generation.retain_dropout_modules
        )

    def train(self, mode: bool = True) -> "S2SFTModel":
        """As torch's; raises RuntimeError for a model that is prepared for inference."""
        if mode and self.is_prepared:
            raise RuntimeError("a model that is prepared for inference cannot be trained; load the checkpoint again")
        super().train(mode)
        return self

    def max_positions(self) -> Tuple[int, int]:
        """Maximum lengths of source and target, special tokens included."""
        return self.cfg.max_source_positions, self.cfg.max_target_positions

    def max_decoder_positions(self) -> int:
        """Maximum length of the target, its end token included."""
        return self.cfg.max_target_positions


def is_labelled(attend: FullPass) -> Tensor:
    """Which of the slots that a pass yields have a label, bool [n]."""
    return attend.slots.label[attend.start :].ne(IGNORE)
