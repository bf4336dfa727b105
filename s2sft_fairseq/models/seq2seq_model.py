"""The registered model ``s2s_ft``: one Transformer, and the encoder and decoder faces that fairseq's tools expect."""

from argparse import Namespace
from functools import cached_property
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import torch
from fairseq.models import (
    BaseFairseqModel,
    FairseqEncoder,
    FairseqIncrementalDecoder,
    register_model,
    register_model_architecture,
)
from fairseq.tasks import FairseqTask
from omegaconf import DictConfig
from torch import Tensor

from ..common.errors import UserError
from ..objectives.slots import IGNORE, PredictionLayout, Slots, lay_out, next_slots, source_slots
from .adapters import merge
from .checkpoints import check_shapes
from .layers.attention import FullPass, SourceCache, SourcePass, StepPass, TargetCache
from .layers.transformer import Transformer
from .options import ModelOptions, transformer_shape
from .partial_checkpoints import TrainedPart, check_same_kind
from .precision import PRECISIONS


@register_model("s2s_ft", dataclass=ModelOptions)
class S2SFTModel(BaseFairseqModel):
    """A pretrained encoder that generates: source and target share all weights, there is no cross-attention.

    Args:
        cfg: the options.
        transformer: the only module with weights.
        convention: how the fine-tuning method predicts.

    Attributes:
        part: what its checkpoints hold, if not all.
    """

    part: Optional[TrainedPart] = None

    def __init__(self, cfg: ModelOptions, transformer: Transformer, layout: PredictionLayout) -> None:
        super().__init__()
        self.cfg, self.transformer, self.layout = cfg, transformer, layout

    @classmethod
    def build_model(cls, cfg: ModelOptions, task: FairseqTask) -> "S2SFTModel":
        """Builds the model for the task's vocabulary, randomly initialized."""
        transformer = Transformer(transformer_shape(cfg, len(task.target_dictionary)))
        return cls(cfg, transformer, task.objective.layout)

    def forward(
        self,
        src_tokens: Optional[Tensor] = None,
        src_lengths: Optional[Tensor] = None,
        prev_output_tokens: Optional[Tensor] = None,
        slots: Optional[Dict[str, Tensor]] = None,
        source_length: Optional[int] = None,
        labelled_from: int = 0,
        label_smoothing: Optional[float] = None,
        weight: Optional[Tensor] = None,
    ) -> Tuple[Tensor, Any]:
        """Scores targets, in one of three ways.

        Training gives ``slots`` (fields [B, L]), ``source_length`` (S), ``labelled_from`` (no slot before it has a
        label), ``label_smoothing`` and perhaps the ``weight`` of each labelled slot [N], and gets the loss and the
        nll, each summed over the labelled slots. Without smoothing it gets the logits of the labelled slots [N, V],
        sentence by sentence. fairseq's scorers give ``src_tokens`` [B, S] and ``prev_output_tokens`` [B, T], and get
        the noise-free logits of the whole target [B, T, V], whatever the fine-tuning method.
        """
        if slots is not None and source_length is not None:
            training = self.full_pass(Slots(**slots), source_length, labelled_from)
            label = training.slots.label[training.start :]
            labelled = label.ne(IGNORE)
            hidden = self.transformer(training)[labelled]
            if label_smoothing is None:
                return self.transformer.logits(hidden), {}
            return self.transformer.loss(hidden, label[labelled], label_smoothing, weight)
        assert src_tokens is not None and prev_output_tokens is not None
        target = self.target_of(prev_output_tokens)
        packed = lay_out(src_tokens, target, self.layout).packed()
        hidden = self.hidden(packed, src_tokens.size(1), packed.token.size(1) - target.size(1))
        return self.transformer.logits(hidden), {}

    def hidden(self, packed: Slots, source_length: int, start: int = 0) -> Tensor:
        """Hidden states of packed slots from ``start`` on, [B, L − start, H], those of padding 0."""
        attend = self.full_pass(packed, source_length, start)
        return attend.batch.padded(self.transformer(attend))

    def full_pass(self, packed: Slots, source_length: int, start: int = 0) -> FullPass:
        """A pass over packed slots [B, L]; hidden states are wanted from column ``start`` on."""
        self.check_precision()
        return FullPass(packed, source_length, self.transformer.bias, start)

    def target_of(self, prev_output_tokens: Tensor) -> Tensor:
        """The target [B, T] whose shifted form is ``prev_output_tokens`` [B, T]: its tokens, then the end."""
        length = prev_output_tokens.ne(self.layout.pad).sum(1, keepdim=True)
        target = prev_output_tokens.roll(-1, dims=1)
        order = torch.arange(target.size(1), device=target.device)
        target = target.masked_fill(order.eq(length - 1), self.layout.end)
        return target.masked_fill(order.ge(length), self.layout.pad)

    def check_precision(self) -> None:
        """Refuses float16 on a CPU, where it is slow and overflows."""
        weight = self.transformer.embeddings.token.weight
        if weight.dtype is torch.float16 and weight.device.type == "cpu":
            raise UserError("--fp16 needs a GPU and found a CPU; leave --fp16 out")

    @cached_property
    def encoder(self) -> "SourceEncoder":
        """The face that reads sources."""
        return SourceEncoder(self)

    @cached_property
    def decoder(self) -> "TargetDecoder":
        """The face that predicts targets."""
        return TargetDecoder(self)

    def state_dict(self, *args: Any, **options: Any) -> Dict[str, Tensor]:
        """The tensors of a checkpoint: all, or those that were trained (``--save-adapter-only``)."""
        state = super().state_dict(*args, **options)
        return state if self.part is None else self.part.of(state)

    def load_state_dict(self, state_dict: Dict[str, Tensor], *args: Any, **options: Any) -> Any:
        """Takes the tensors of a checkpoint; raises UserError if it belongs to other weights, or to another shape."""
        check_same_kind(state_dict, partial=self.part is not None)
        if self.part is not None:
            state_dict = self.part.completed(state_dict, super().state_dict())
        check_shapes(state_dict, super().state_dict())
        return super().load_state_dict(state_dict, *args, **options)

    def prepare_for_inference_(self, cfg: DictConfig) -> None:
        """Merges adapters, and rounds the weights as ``--inference-precision`` says; fairseq-generate calls this."""
        super().prepare_for_inference_(cfg)
        merge(self.transformer)
        PRECISIONS[str(cfg.task.inference_precision)](self.transformer)

    def max_positions(self) -> Tuple[int, int]:
        """Longest source and target, special tokens included."""
        return self.cfg.max_source_positions, self.cfg.max_target_positions

    def max_decoder_positions(self) -> int:
        """Longest target, its end included."""
        return self.cfg.max_target_positions


class Face:
    """Mixed into a face of the model: it refers to the model without registering its weights a second time."""

    def refer_to(self, model: S2SFTModel) -> None:
        object.__setattr__(self, "model", model)


class SourceEncoder(FairseqEncoder, Face):
    """The model as the encoder of fairseq's generators: sources to the cache that decoding reads."""

    model: S2SFTModel

    def __init__(self, model: S2SFTModel) -> None:
        super().__init__(dictionary=None)
        self.refer_to(model)

    def forward(self, src_tokens: Tensor, src_lengths: Optional[Tensor] = None, **unused: Any) -> SourceCache:
        """``src_tokens`` [B, S] → the keys and values of every layer, once a sentence."""
        self.model.check_precision()
        slots = source_slots(src_tokens, self.model.layout)
        source_pass = SourcePass(slots, self.model.transformer.bias)
        self.model.transformer(source_pass)
        return SourceCache(slots, source_pass.kept, beam=1)

    def reorder_encoder_out(self, encoder_out: SourceCache, new_order: Tensor) -> SourceCache:
        return encoder_out.reorder(new_order)

    def max_positions(self) -> int:
        return self.model.max_positions()[0]


class TargetDecoder(FairseqIncrementalDecoder, Face):
    """The model as the incremental decoder of fairseq's generators: ``[last token, query]`` a step."""

    model: S2SFTModel
    CACHE = "s2s_ft_target"

    def __init__(self, model: S2SFTModel) -> None:
        super().__init__(dictionary=None)
        self.refer_to(model)

    def forward(
        self,
        prev_output_tokens: Tensor,
        encoder_out: SourceCache,
        incremental_state: Optional[Dict[str, Any]] = None,
        **unused: Any,
    ) -> Tuple[Tensor, Dict[str, Any]]:
        """Predicts the token after ``prev_output_tokens`` [R, 1 + t]: logits [R, 1, V]."""
        state: Dict[str, Any] = {} if incremental_state is None else incremental_state
        cache = state.setdefault(self.CACHE, TargetCache())
        slots = next_slots(prev_output_tokens, self.model.layout, source_length=encoder_out.lengths(), known=len(cache))
        transformer = self.model.transformer
        hidden = transformer(StepPass(slots, encoder_out, cache, transformer.bias))
        return transformer.logits(hidden).unsqueeze(1), {"attn": None}

    def reorder_incremental_state(self, incremental_state: Dict[str, Any], new_order: Tensor) -> None:
        if self.CACHE in incremental_state:
            incremental_state[self.CACHE].reorder(new_order)

    def max_positions(self) -> int:
        return self.model.max_decoder_positions()


class Size(NamedTuple):
    """What tells one architecture from another."""

    encoder_layers: int
    encoder_embed_dim: int
    encoder_ffn_embed_dim: int
    encoder_attention_heads: int


ARCHITECTURES: List[Tuple[str, Size]] = [
    ("s2s_ft_large", Size(24, 1024, 4096, 16)),
    ("s2s_ft_minilm", Size(12, 384, 1536, 12)),
    ("s2s_ft_tiny", Size(2, 128, 512, 2)),
]


def register_size(name: str, size: Size) -> None:
    """Makes a size a value of ``--arch``: it sets what the user did not."""

    @register_model_architecture("s2s_ft", name)
    def architecture(args: Namespace) -> None:
        for option, value in size._asdict().items():
            setattr(args, option, getattr(args, option, value))


for architecture_name, architecture_size in ARCHITECTURES:
    register_size(architecture_name, architecture_size)
