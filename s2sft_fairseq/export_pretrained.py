"""Exports a model to Hugging Face's format: config.json, model.safetensors and the vocabulary files.

    python -m s2sft_fairseq.export_pretrained --checkpoint checkpoints/checkpoint_best.pt --to exported

transformers opens the directory (AutoModelForMaskedLM) if it knows the family; --pretrained always accepts it. The
vocabulary files come from the directory that the model was fine-tuned from, or from the checkpoint's directory.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from safetensors.torch import save_file
from torch import Tensor

from .common.atomic_files import whole_files
from .common.command_line import command_parser
from .common.errors import UserError
from .common.fairseq_patches import run_command
from .merge_adapters import merged_tensors
from .models import checkpoints
from .models.adapters import has_adapters
from .models.checkpoints import PREFIX
from .models.layers.heads import PREFIXES
from .models.layers.parameter_names import SEGMENTS, TOKENS
from .pretrained.families import FAMILIES, Family
from .pretrained.families.family import measure
from .text import vocabulary
from .text.dictionary import PretrainedDictionary
from .text.vocabulary_copy import copy_vocabulary, with_added


def arguments(argv: Optional[List[str]]) -> argparse.Namespace:
    """The command line."""
    parser = command_parser("export_pretrained", __doc__)
    parser.add_argument(
        "--checkpoint",
        required=True,
        type=Path,
        help="of fairseq-train or import_pretrained: a file, or a directory with one",
    )
    parser.add_argument("--to", dest="destination", required=True, type=Path, help="directory to write")
    parser.add_argument("--vocab", type=Path, help="directory of the vocabulary files (default: see above)")
    return parser.parse_args(argv)


def find_vocabulary(args: argparse.Namespace, options: Mapping[str, Any]) -> Path:
    """The directory of the vocabulary files; raises UserError if none is found."""
    beside = [Path(options["pretrained"])] if options["pretrained"] else []
    candidates = [args.vocab] if args.vocab else [*beside, args.checkpoint.parent]
    found = next((folder for folder in candidates if vocabulary.files(folder)), None)
    if found is None:
        raise UserError(
            f"no vocabulary files in {' or '.join(map(str, candidates))}; name their directory with --vocab"
        )
    return found


def dictionary_of(source: Path, options: Mapping[str, Any]) -> PretrainedDictionary:
    """The model's vocabulary: that of a directory and the added tokens.

    Raises:
        UserError: the directory holds a different vocabulary.
    """
    dictionary = PretrainedDictionary(with_added(vocabulary.read(source), options["added_tokens"].split()))
    if dictionary.fingerprint() != options["vocabulary"]:
        raise UserError(
            f"{source} holds the vocabulary {dictionary.fingerprint()}, but the model was trained with "
            f"{options['vocabulary']}; name the right directory with --vocab"
        )
    return dictionary


def family_of(options: Mapping[str, Any], files: List[Path]) -> Family:
    """The family whose format the model is written in.

    RoBERTa with a SentencePiece model is XLM-R, BERT with dialogue turns is ERNIE, with relative positions UniLMv2.

    Raises:
        UserError: the model has a table of turns, or relative positions, but the family has none.
    """
    name = options["pretrained_type"] or "bert"
    if options["relative_buckets"] and name == "bert":
        name = "unilmv2"
    if options["relative_buckets"] and name != "unilmv2":
        raise UserError(
            f"a {name} model cannot have relative positions; export one that was trained without --relative-buckets"
        )
    if name == "roberta" and any(file.suffix == ".model" for file in files):
        name = "xlm-roberta"
    if options["turn_rows"] and name == "bert":
        name = "ernie"
    if options["turn_rows"] and name != "ernie":
        raise UserError(f"a {name} model cannot have dialogue turns; export one that was trained without --turn-rows")
    return FAMILIES[name]


def without_unnamed_heads(family: Family, tensors: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """The tensors without heads for which the family has no name; says which."""
    named = {ours for rule in family.rules for ours in rule.ours}
    unnamed = [name for name in tensors if name.startswith(PREFIXES) and name not in named]
    if unnamed:
        print(f"left out, because a {family.name} model has no name for it: {', '.join(unnamed)}")
    return {name: tensor for name, tensor in tensors.items() if name not in unnamed}


def with_segments(tensors: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """The tensors, with a segment table of one zero row if they have none: transformers always adds a segment."""
    if SEGMENTS in tensors:
        return tensors
    return {**tensors, SEGMENTS: tensors[TOKENS].new_zeros(1, tensors[TOKENS].size(1))}


def published_config(
    family: Family, options: Mapping[str, Any], tensors: Mapping[str, Tensor], dictionary: PretrainedDictionary
) -> Dict[str, Any]:
    """config.json of a model: its options, the sizes of its tensors, and what else transformers needs."""
    sizes = measure({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    return {
        **family.config({**options, **sizes}),
        "vocab_size": len(dictionary),
        "hidden_act": "gelu",
        "hidden_dropout_prob": options["dropout"],
        "attention_probs_dropout_prob": options["attention_dropout"],
        "pad_token_id": dictionary.pad(),
        "bos_token_id": dictionary.bos(),
        "eos_token_id": dictionary.eos(),
    }


def main(argv: Optional[List[str]] = None) -> None:
    """Runs the command."""
    args = arguments(argv)
    args.checkpoint = checkpoints.find(args.checkpoint)
    state = checkpoints.read(args.checkpoint)
    options = state["cfg"]["model"]
    source = find_vocabulary(args, options)
    dictionary = dictionary_of(source, options)
    family = family_of(options, vocabulary.files(source))
    model = merged_tensors(state, dictionary) if has_adapters(options) else state["model"]
    tensors = with_segments({name[len(PREFIX) :]: tensor.float() for name, tensor in model.items()})
    with whole_files(args.destination) as workshop:
        copy_vocabulary(source, workshop, options["added_tokens"].split())
        config = published_config(family, options, tensors, dictionary)
        (workshop / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        save_file(
            family.publish(without_unnamed_heads(family, tensors)),
            workshop / "model.safetensors",
            metadata={"format": "pt"},
        )
    print(f"wrote a {family.name} model to {args.destination}")


if __name__ == "__main__":
    run_command(main)
