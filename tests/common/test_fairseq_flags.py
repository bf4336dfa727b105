"""Flags of fairseq's commands: what --bf16 means, and the one line for each that cannot work."""

import errno
import importlib.util
import re
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from commands import generate_command, mistake, preprocess_command, run, torchrun, train_command

from s2sft_fairseq.common import fairseq_flags
from s2sft_fairseq.common.errors import UserError, one_line
from s2sft_fairseq.common.fairseq_flags import check_flags, check_preprocessing, choose_backends, with_checked_flags

slow = pytest.mark.slow


def flags(**given: Any) -> Namespace:
    """Flags of a command of ours on a CPU."""
    return Namespace(**{"task": "s2s_ft", "cpu": True, "distributed_world_size": 1, **given})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (dict(lm_path="lm.pt"), "--lm-path lm.pt: a language model .* leave it out"),
        (dict(retain_iter_history=True), "--retain-iter-history: this model does not generate iteratively"),
        (dict(tpu=True), "--tpu needs torch_xla"),
        (dict(pipeline_model_parallel=True), "--pipeline-model-parallel: this model cannot be divided"),
        (dict(model_parallel_size=2), "--model-parallel-size 2: this model is kept whole"),
        (dict(amp=True), "--amp needs a GPU"),
        (dict(distributed_world_size=2), "leave --distributed-world-size 2 out, or start .* torchrun"),
        (dict(distributed_init_method="tcp://localhost:1"), "GPUs only"),
        (dict(dataset_impl="fasta"), "--dataset-impl fasta: .* expected one of mmap, lazy, cached, raw"),
        (dict(dataset_impl="huffman"), "--dataset-impl huffman"),
        (dict(scoring="meteor"), "s2sft_fairseq.evaluate --metric meteor"),
        (dict(model_overrides="dropout=1"), "--model-overrides dropout=1: expected a Python dictionary"),
        (dict(model_overrides="[1]"), "expected a Python dictionary"),
        (dict(optimizer_overrides="{'lr"), "--optimizer-overrides {'lr: expected a Python dictionary"),
        (dict(adam_betas="x"), "--adam-betas x: expected a Python pair"),
        (dict(adafactor_eps="1e-3"), "--adafactor-eps 1e-3: expected a Python pair"),
        (dict(update2lr="1e-3"), "--update2lr 1e-3: expected a Python dictionary"),
        (dict(num_batch_buckets=2), "--num-batch-buckets 2: fairseq fails"),
        (dict(log_interval=0), "--log-interval 0; expected 1 or more"),
        (dict(num_workers=-1), "--num-workers -1; expected 0 or more"),
        (dict(batch_size=0), "--batch-size 0; expected 1 or more"),
        (dict(validate_interval=0), "--validate-interval 0; expected 1 or more"),
        (dict(seed=-1), "--seed -1; expected 0 to 4294967295"),
        (dict(seed=2**32), "--seed 4294967296"),
        (dict(lr=[]), "--lr has no value"),
        (dict(update_freq=[2, 0]), r"--update-freq \[2, 0\]; expected 1 or more"),
        (dict(write_checkpoints_asynchronously=True), "needs the package iopath"),
        (dict(ddp_backend="fully_sharded"), "--ddp-backend fully_sharded needs the package fairscale"),
        (dict(zero_sharding="os"), "--zero-sharding os needs the package fairscale"),
        (dict(optimizer="composite"), "--optimizer composite: fairseq cannot configure it"),
        (dict(use_plasma_view=True), "--use-plasma-view needs plasma_store"),
        (dict(profile=True), "--profile marks what a GPU computes"),
    ],
)
def test_refused(given: Dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With this package's tasks, where no other package helps; what others do with these flags is their affair."""
    monkeypatch.setattr(fairseq_flags.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(fairseq_flags.np, "percentile", lambda a, q, method: a)
    with pytest.raises(UserError, match=says):
        check_flags(flags(**given))
    check_flags(flags(**given, task="translation"))


ACCEPTED: List[Dict[str, Any]] = [
    {},
    dict(dataset_impl="raw"),
    dict(model_overrides="{'dropout': 0.1}"),
    dict(adam_betas="[0.9, 0.98]", adafactor_eps="(1e-30, 1e-3)", update2lr="{}", lr=[0.1], update_freq=[1, 2]),
    dict(num_workers=0, seed=0, batch_size=None, log_interval=1, zero_sharding="none"),
]


@pytest.mark.parametrize("given", ACCEPTED)
def test_accepted(given: Dict[str, Any]) -> None:
    check_flags(flags(**given))
    check_flags(Namespace())


def test_only_interactive_has_no_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    for given in (dict(score_reference=True), dict(prefix_size=1)):
        check_flags(flags(**given))
        monkeypatch.setattr(fairseq_flags, "fairseq_command", lambda: "interactive")
        with pytest.raises(UserError, match="needs targets, which fairseq-interactive does not read"):
            check_flags(flags(**given))
        monkeypatch.undo()


def test_processes_on_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_flags(flags(cpu=False, distributed_world_size=2))
    check_flags(flags(cpu=False, distributed_world_size=4, distributed_init_method="tcp://first:1"))
    with pytest.raises(UserError, match="--distributed-world-size 4: this machine has 2 GPUs"):
        check_flags(flags(cpu=False, distributed_world_size=4))


def test_backends_of_launched_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU, and there only when torchrun has started several."""
    for launched, backends in (("1", ("nccl", "c10d")), ("2", ("gloo", "legacy_ddp"))):
        monkeypatch.setenv("WORLD_SIZE", launched)
        args = flags(distributed_backend="nccl", ddp_backend="c10d")
        choose_backends(args)
        assert (args.distributed_backend, args.ddp_backend) == backends


def parsed(*words: str, **options: Any) -> Namespace:
    """What a command gets, by a parser that takes --bf16 for a TPU's as fairseq's does."""

    def parse(parser: ArgumentParser, input_args: List[str], suppress_defaults: bool = False) -> Namespace:
        args = parser.parse_args(input_args)
        if suppress_defaults:
            return Namespace(**{name: value for name, value in vars(args).items() if value})
        args.tpu = args.tpu or args.bf16
        if args.tpu and args.fp16:
            raise ValueError("Cannot combine --fp16 and --tpu, use --bf16 on TPUs")
        return args

    parser = ArgumentParser()
    for flag in ("--bf16", "--fp16", "--tpu"):
        parser.add_argument(flag, action="store_true")
    parsed: Namespace = with_checked_flags(parse)(parser, list(words), **options)
    return parsed


def test_bf16_is_a_precision() -> None:
    args = parsed("--bf16")
    assert args.bf16 and not args.tpu
    assert parsed("--tpu").tpu and parsed("--bf16", "--tpu").tpu
    with pytest.raises(UserError, match="--fp16 excludes --bf16"):
        parsed("--bf16", "--fp16")


def test_validation_has_a_precision_of_its_own() -> None:
    """Whatever the training's was, the command line decides."""
    assert parsed(suppress_defaults=True).bf16 is False
    assert parsed("--bf16", suppress_defaults=True).bf16 is True


def preprocessing(**given: Any) -> Namespace:
    defaults = dict(joined_dictionary=True, srcdict="a", tgtdict=None, dataset_impl="mmap", alignfile=None)
    return Namespace(**{**defaults, "align_suffix": None, **given})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (dict(tgtdict="b"), "--joined-dictionary is one for both sides"),
        (dict(dataset_impl="fasta"), "--dataset-impl fasta: fairseq-preprocess cannot write it"),
        (dict(alignfile="a"), "--alignfile: this model has no cross-attention"),
        (dict(align_suffix="a"), "--align-suffix: this model has no cross-attention"),
    ],
)
def test_preprocessing_refuses(given: Dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        check_preprocessing(preprocessing(**given))


def test_one_dictionary_given_twice() -> None:
    args = preprocessing(tgtdict="./a")
    check_preprocessing(args)
    assert (args.srcdict, args.tgtdict) == ("a", None)


def test_options_that_need_something() -> None:
    """fairseq's and Hydra's errors about them become one line."""
    from hydra.errors import ConfigCompositionException, MissingConfigException

    for error, says in (
        (ModuleNotFoundError("No module named 'a'", name="a.b"), "needs the Python package a, .* pip install a"),
        (ImportError("Please install editdistance to use WER scorer"), "Please install editdistance"),
        (
            ConfigCompositionException("Error merging override bpe.sentencepiece_model=null"),
            "--sentencepiece-model has",
        ),
        (MissingConfigException("Could not find 'bpe/characters'", "x"), "fairseq cannot configure --bpe characters"),
        (ValueError("loaded state dict contains a parameter group that"), "add --reset-optimizer"),
        (AssertionError("Optimizer does not match; please reset"), "Optimizer does not match"),
    ):
        line = one_line(error)
        assert line is not None
        assert re.search(says, line), line
    assert one_line(ValueError("another")) is None
    assert one_line(PermissionError(errno.EACCES, "Permission denied", "a/b")) == "a/b: Permission denied"
    assert one_line(OSError(errno.ENOSPC, "No space left on device")) == "[Errno 28] No space left on device"
    assert one_line(OSError(errno.ECONNRESET, "Connection reset")) is None
    assert one_line(ImportError("cannot import name 'a'")) is None


@slow
class TestCommands:
    """The literal commands."""

    @pytest.mark.parametrize("implementation", ["raw", "lazy", "cached"])
    def test_older_formats(self, bert: Path, texts: Path, tmp_path: Path, implementation: str) -> None:
        """Written, trained on and generated from."""
        impl = ["--dataset-impl", implementation]
        run([*preprocess_command(texts, tmp_path / "bin", bert), *impl])
        run([*train_command(tmp_path / "bin", tmp_path / "save", encoder_layers=1, max_update=1), *impl])
        command = generate_command(tmp_path / "bin", tmp_path / "save" / "checkpoint_last.pt")
        assert run([*command, *impl]).out.count("\nH-") == 100

    def test_the_wrong_format(self, data: Path, tmp_path: Path) -> None:
        command = train_command(data, tmp_path / "save", encoder_layers=1, dataset_impl="lazy")
        assert "--dataset-impl lazy" in mistake(command)

    def test_language_models(self, data: Path, imported: Dict[str, Path]) -> None:
        line = mistake(generate_command(data, imported["masked"], lm_path=imported["masked"]))
        assert "--lm-path" in line

    def test_dictionaries(self, bert: Path, texts: Path, tmp_path: Path) -> None:
        """The same one twice works; two do not."""
        command = preprocess_command(texts, tmp_path / "bin", bert)
        run([*command, "--tgtdict", bert])
        assert "--joined-dictionary is one" in mistake([*command, "--tgtdict", bert / "vocab.txt"])

    def test_no_training_in_silence(self, data: Path, tmp_path: Path) -> None:
        """fairseq would log a traceback, train nothing, and end with status 0."""
        command = train_command(data, tmp_path / "save", encoder_layers=1, write_checkpoints_asynchronously=True)
        if importlib.util.find_spec("iopath") is None:
            assert "--write-checkpoints-asynchronously needs the package iopath" in mistake(command)

    def test_launched_processes(self, data: Path, tmp_path: Path) -> None:
        """Without a word about backends."""
        words = torchrun(data, tmp_path / "save", encoder_layers=1, max_update=1)
        backends = ("--distributed-backend", "gloo", "--ddp-backend", "legacy_ddp")
        done = run([word for word in words if word not in backends])
        assert "training on 2 devices" in done.out + done.err

    def test_processes_on_a_cpu(self, data: Path, tmp_path: Path) -> None:
        line = mistake(train_command(data, tmp_path / "save", encoder_layers=1, distributed_world_size=2))
        assert "torchrun" in line
