"""Refuses checkpoints whose options are programs: fairseq passes the text of some options of its models to ``eval``."""

import ast
from argparse import Namespace
from typing import Any, Iterator, Mapping, Tuple

from omegaconf import OmegaConf

from .errors import UserError

EVALUATED = (
    *("adafactor_eps", "adam_betas", "adamax_betas", "adaptive_input_cutoff", "adaptive_softmax_cutoff"),
    *("character_filters", "conv_aggregator_layers", "conv_feature_layers", "decoder_attention", "decoder_layers"),
    *("downsample", "encoder_attention", "encoder_layers", "gated_attention", "lamb_betas", "left_pad_source"),
    *("left_pad_target", "pipeline_balance", "pipeline_decoder_balance", "pipeline_decoder_devices"),
    *("pipeline_devices", "pipeline_encoder_balance", "pipeline_encoder_devices", "pretrained", "project_input"),
    *("self_attention", "wer_args", "xformers_att_config"),
)
"""The options that fairseq 0.12.2 evaluates as Python, wherever they are."""

PARTS = (
    *(ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Tuple, ast.List, ast.Dict),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.UnaryOp, ast.USub),
)
"""The parts of an expression such as ``[(512, 3)] * 2 + [(256, 3)]``, which runs nothing."""

OWN = ("s2s_ft", "s2s_pretraining")
"""The beginnings of this package's registered names; its own classes evaluate no option."""


def check_evaluated(path: str, checkpoint: Mapping[str, Any]) -> None:
    """Raises UserError if a checkpoint has an option that fairseq would run as a program.

    Args:
        path: the file, for the error message.
        checkpoint: its content; ``args`` counts instead of ``cfg`` if it has both, as for fairseq.
    """
    options = checkpoint.get("args") or checkpoint.get("cfg")
    for name, text in evaluated(options, trusts_names=checkpoint.get("args") is None):
        if not is_plain(text):
            raise UserError(f"{path} has the option {name} {text!r:.80}, a program that is never executed")


def evaluated(options: Any, *, trusts_names: bool) -> Iterator[Tuple[str, str]]:
    """The names and texts of all evaluated options, however deep.

    Args:
        options: a configuration, or a part of it.
        trusts_names: skip parts that fairseq builds an object of this package from, by their ``_name``.
    """
    options = OmegaConf.to_container(options) if OmegaConf.is_config(options) else options
    options = vars(options) if isinstance(options, Namespace) else options
    if isinstance(options, list):
        options = dict(enumerate(options))
    if not isinstance(options, dict) or (trusts_names and str(options.get("_name")).startswith(OWN)):
        return
    for name, value in options.items():
        if isinstance(value, str) and name in EVALUATED:
            yield name, value
        yield from evaluated(value, trusts_names=trusts_names)


def is_plain(text: str) -> bool:
    """Whether evaluating a text runs nothing: it is a value, or no expression, at which Python itself stops.

    >>> is_plain("[(512, 3)] * 2"), is_plain("__import__('os')"), is_plain("${task.data}")
    (True, False, False)
    """
    if "${" in text:  # refers to another option
        return False
    try:
        expression = ast.parse(text.strip(), mode="eval")
    except SyntaxError:
        return True
    return all(isinstance(node, PARTS) for node in ast.walk(expression))
