"""The options of validation by generation (``--eval-rouge`` and the like), and the checks made before training."""

import json
from dataclasses import dataclass, field
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from fairseq.dataclass import FairseqDataclass
from fairseq.dataclass.configs import GenerationConfig
from omegaconf import II, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ..common.errors import UserError
from ..metrics import METRICS, Metric
from ..text import checkpoint_vocabulary as checkpoint_vocabulary

WITHOUT_USE = (
    *("constraints", "prefix_size", "replace_unk", "sacrebleu", "score_reference"),
    *("lm_path", "lm_weight", "retain_dropout", "retain_dropout_modules", "retain_iter_history"),
)
"""Flags of fairseq's generation commands that do not concern the search, or give it the reference."""


@dataclass
class ValidationOptions(FairseqDataclass):
    eval_rouge: bool = field(
        default=False,
        metadata={"help": "at every validation, generate and log rouge_1, rouge_2, rouge_l …"},
    )
    eval_bleu: bool = field(default=False, metadata={"help": "the same for bleu"})
    eval_metric: Optional[str] = field(
        default=None,
        metadata={"help": "the same for these metrics, separated by commas: " + ", ".join(sorted(METRICS))},
    )
    eval_metric_args: str = field(
        default="{}",
        metadata={"help": """options of the metrics, as JSON: '{"rouge": {"words": "any"}}'"""},
    )
    eval_generation_args: str = field(
        default="{}",
        metadata={"help": """fairseq's search flags for --eval-…, as JSON: '{"beam": 4, "max_len_b": 40}'"""},
    )
    eval_sentences: int = field(
        default=0,
        metadata={"help": "generate for at most this many sentences, spread evenly over the set (default: 0, all)"},
    )
    eval_print_samples: int = field(
        default=3, metadata={"help": "number of examples (source, reference and hypothesis) that --eval-… prints"}
    )
    eval_bpe: Any = field(default=II("bpe"))
    eval_tokenizer: Any = field(default=II("tokenizer"))
    batch_size_valid: Optional[int] = II("dataset.batch_size_valid")
    max_tokens_valid: Optional[int] = II("dataset.max_tokens_valid")
    best_checkpoint_metric: str = II("checkpoint.best_checkpoint_metric")
    maximize_best_checkpoint_metric: bool = II("checkpoint.maximize_best_checkpoint_metric")


class Example(NamedTuple):
    """The texts of one pair; the reference is whole even where ``--truncate-target`` cuts it for the loss."""

    source: str
    reference: str
    hypothesis: str


def metric_names(options: ValidationOptions) -> List[str]:
    """The names of the requested metrics, each once.

    >>> metric_names(ValidationOptions(eval_rouge=True, eval_metric="bleu, rouge"))
    ['rouge', 'bleu']
    """
    named = [name.strip() for name in (options.eval_metric or "").split(",")]
    if options.eval_bleu:
        named.insert(0, "bleu")
    if options.eval_rouge:
        named.insert(0, "rouge")
    return list(dict.fromkeys(name for name in named if name))


def chosen_metrics(options: ValidationOptions) -> List[Metric]:
    """The requested metrics, with their options.

    Raises:
        UserError: there is no such metric, or it has no such option.
    """
    names = metric_names(options)
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise UserError(f"--eval-metric {unknown[0]}: no such metric; expected some of {', '.join(sorted(METRICS))}")
    given = json_object("--eval-metric-args", options.eval_metric_args, '{"rouge": {"words": "any"}}')
    try:
        return [METRICS[name](**given.get(name, {})) for name in names]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"--eval-metric-args: {error}; expected what python -m s2sft_fairseq.evaluate lists") from None


def json_object(flag: str, text: str, example: str) -> Dict[str, Any]:
    """Parses the value of a flag that is written in JSON.

    Raises:
        UserError: it is not a JSON object.
    """
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{flag} is not valid JSON ({error}); expected an object such as '{example}'") from None
    if not isinstance(found, dict):
        raise UserError(f"{flag} is not a JSON object; expected one such as '{example}'")
    return found


def check_validation(options: ValidationOptions, logged: Sequence[str]) -> None:
    """Rejects, before a model is built, what would fail at the end of the first epoch, or keep the worst checkpoint.

    Args:
        options: of the task.
        logged: names of the figures that validation logs without generating.

    Raises:
        UserError: a bad option, or a ``--best-checkpoint-metric`` that is not logged, or is not to be maximized.
    """
    for flag in ("eval_sentences", "eval_print_samples"):
        if getattr(options, flag) < 0:
            raise UserError(f"--{flag.replace('_', '-')} {getattr(options, flag)}: expected 0 or more")
    generation_config(options.eval_generation_args)
    generated = [name for metric in chosen_metrics(options) for name in score(metric, [Example("a", "a", "a")])]
    twice = next((name for name in generated if generated.count(name) > 1), None)
    if twice:
        raise UserError(
            f"--eval-metric: two of {', '.join(metric_names(options))} log {twice}; expected only one of them"
        )
    best = options.best_checkpoint_metric
    if best not in (*logged, *generated):
        raise UserError(
            f"--best-checkpoint-metric {best} is not logged; expected one of {', '.join((*logged, *generated))}: "
            "--eval-rouge, --eval-bleu and --eval-metric log more"
        )
    if best in generated and not options.maximize_best_checkpoint_metric:
        raise UserError(
            f"--best-checkpoint-metric {best} would keep the worst checkpoint; add --maximize-best-checkpoint-metric"
        )


def generation_config(text: str) -> Any:
    """Parses search flags in JSON into fairseq's ``GenerationConfig``.

    Raises:
        UserError: not a JSON object, a flag that fairseq does not have or that has no use here, or a bad value.
    """
    example = '{"beam": 4, "max_len_b": 40}'
    given = json_object("--eval-generation-args", text, example)
    defaults = OmegaConf.structured(GenerationConfig())
    for name in given:
        if name not in defaults or name in WITHOUT_USE:
            raise UserError(f"--eval-generation-args: no flag {name!r} in validation; expected flags as in '{example}'")
    try:
        return OmegaConf.merge(defaults, given)
    except OmegaConfBaseException as error:
        raise UserError(f"--eval-generation-args, {error.full_key}: {str(error).splitlines()[0]}") from None


def score(metric: Metric, examples: Sequence[Example]) -> Dict[str, float]:
    """The figures of a metric over texts; of recall, precision and F1, only the last."""
    sources, references, hypotheses = zip(*examples)
    found = metric.examples(hypotheses, [[reference] for reference in references], sources).figures()
    return {name: float(value) for name, value in found.items() if not name.endswith(("_recall", "_precision"))}
