"""What a user would pick instead, from ``transformers``: BERT2BERT and BART, in their best settings.

Fused attention (SDPA), a cache of keys and values, batches padded to their longest pair, and no gradients kept where
none are wanted.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    EncoderDecoderConfig,
    EncoderDecoderModel,
    GenerationConfig,
    PreTrainedModel,
)

from s2sft_fairseq.objectives.slots import IGNORE
from s2sft_fairseq.text.dictionary import PretrainedDictionary

from .ours import LABEL_SMOOTHING, Sample
from .shapes import Lengths, Shape
from .texts import data_bin


def bert2bert(shape: Shape, lengths: Lengths) -> PreTrainedModel:
    """Two BERTs of our shape; the second one also attends to the first one's output."""
    bert = BertConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.hidden,
        max_position_embeddings=max(lengths),
    )
    config = EncoderDecoderConfig.from_encoder_decoder_configs(bert, bert)
    return EncoderDecoderModel._from_config(config, attn_implementation="sdpa")


def bart(shape: Shape, lengths: Lengths) -> PreTrainedModel:
    """A BART with as many parameters as we have: half of our layers read, half of them write."""
    half, heads, ffn = shape.layers // 2, shape.heads, 4 * shape.hidden
    config = BartConfig(
        vocab_size=shape.vocabulary,
        d_model=shape.hidden,
        encoder_layers=half,
        decoder_layers=half,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=ffn,
        decoder_ffn_dim=ffn,
        attention_dropout=0.1,
        max_position_embeddings=max(lengths),
    )
    return BartForConditionalGeneration._from_config(config, attn_implementation="sdpa")


BUILDERS = {"BERT2BERT": bert2bert, "BART": bart}


class Peer(NamedTuple):
    """A model of ``transformers`` that trains and generates on our batches.

    Attributes:
        model: a ``PreTrainedModel`` that can generate.
        dictionary: tells the special tokens.
    """

    model: Any
    dictionary: PretrainedDictionary

    def loss(self, sample: Sample) -> Tensor:
        """The mean over the target tokens."""
        pad, inputs = self.dictionary.pad(), sample["net_input"]
        logits = self.model(
            input_ids=inputs["src_tokens"],
            attention_mask=inputs["src_tokens"].ne(pad),
            decoder_input_ids=inputs["prev_output_tokens"],
            use_cache=False,
        ).logits
        label = sample["target"].masked_fill(sample["target"].eq(pad), IGNORE)
        return cross_entropy(
            logits.flatten(0, 1), label.flatten(), ignore_index=IGNORE, label_smoothing=LABEL_SMOOTHING
        )

    @torch.inference_mode()
    def decode(self, sample: Sample, beam: int, length: int) -> Tensor:
        """Hypotheses of ``length`` tokens."""
        source = sample["net_input"]["src_tokens"]
        mask = source.ne(self.dictionary.pad())
        return self.model.generate(source, attention_mask=mask, generation_config=self.search(beam, length))

    def search(self, beam: int, length: int) -> GenerationConfig:
        """For hypotheses of ``length`` tokens."""
        return GenerationConfig(
            num_beams=beam,
            do_sample=False,
            use_cache=True,
            min_new_tokens=length,
            max_new_tokens=length,
            pad_token_id=self.dictionary.pad(),
            eos_token_id=self.dictionary.eos(),
            decoder_start_token_id=self.dictionary.eos(),
        )


def build(shape: Shape, *, name: str, lengths: Lengths) -> Peer:
    """A peer of random weights."""
    dictionary = PretrainedDictionary.load(data_bin(shape.vocabulary) / "dict.src.txt")
    return Peer(BUILDERS[name](shape, lengths), dictionary)
