"""A user's mistake ends in exactly one clear line, and leaves nothing half written."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, List

import pytest
import torch
from commands import (
    IMPORT,
    PLUGIN,
    ROOT,
    SPECIAL,
    WORDS,
    attempt,
    environment,
    generate_command,
    make_bert,
    mistake,
    preprocess_command,
    random_lines,
    run,
    train_command,
    write_lines,
    write_pairs,
)

from s2sft_fairseq import import_pretrained
from s2sft_fairseq.common.errors import UserError

slow = pytest.mark.slow

Damage = Callable[[Path], None]


def cut_short(path: Path) -> None:
    """Keeps the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def change_config(folder: Path, **values: object) -> None:
    """Overwrites entries of config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def truncated_safetensors(folder: Path) -> None:
    cut_short(folder / "model.safetensors")


def truncated_pytorch_model(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"bert.embeddings.word_embeddings.weight": torch.zeros(46, 32)}, folder / "pytorch_model.bin")
    cut_short(folder / "pytorch_model.bin")


def code_in_pytorch_model(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"bert.embeddings.word_embeddings.weight": shutil.rmtree}, folder / "pytorch_model.bin")


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def broken_config(folder: Path) -> None:
    cut_short(folder / "config.json")


def longer_vocabulary(folder: Path) -> None:
    write_lines(folder / "vocab.txt", [*SPECIAL, *WORDS, "one", "two"])


def no_mask_token(folder: Path) -> None:
    write_lines(folder / "vocab.txt", [w.replace("[MASK]", "mask") for w in (*SPECIAL, *WORDS)])


def more_layers(folder: Path) -> None:
    change_config(folder, num_hidden_layers=3)


def wider_layers(folder: Path) -> None:
    change_config(folder, intermediate_size=128)


DAMAGES = [
    (empty, "no vocabulary in"),
    (shutil.rmtree, "is not a directory"),
    (truncated_safetensors, "model.safetensors cannot be read"),
    (truncated_pytorch_model, "pytorch_model.bin cannot be read"),
    (code_in_pytorch_model, "pytorch_model.bin"),
    (no_weights, "has no weights; expected model.safetensors"),
    (broken_config, "config.json is not valid JSON"),
    (longer_vocabulary, "48 tokens .* 46 rows"),
    (no_mask_token, r"no \[MASK\]"),
    (more_layers, "the weights lack layers.2"),
    (wider_layers, "ffn_in.* has shape"),
]


@pytest.fixture
def copied(bert: Path, tmp_path: Path) -> Path:
    """A copy of the encoder, to be damaged."""
    return Path(shutil.copytree(bert, tmp_path / "pretrained"))


def name_of(value: object) -> str:
    """Names the cases of a test after their functions or options."""
    return "-".join(value) if isinstance(value, dict) else getattr(value, "__name__", "")


@pytest.mark.parametrize(("damage", "says"), DAMAGES, ids=name_of)
def test_import_refuses_what_is_no_checkpoint(copied: Path, tmp_path: Path, damage: Damage, says: str) -> None:
    damage(copied)
    with pytest.raises(UserError, match=says):
        import_pretrained.main(["--from", str(copied), "--to", str(tmp_path / "imported")])
    assert not (tmp_path / "imported").exists()


@slow
def test_import_says_so_in_one_line(copied: Path, tmp_path: Path) -> None:
    truncated_safetensors(copied)
    command = [*IMPORT, "--from", copied, "--to", tmp_path / "imported"]
    assert "cannot be read as weights" in mistake(command, fork=False)


@slow
@pytest.mark.parametrize(("damage", "says"), DAMAGES[1:4], ids=name_of)
def test_training_refuses(data: Path, copied: Path, tmp_path: Path, damage: Damage, says: str) -> None:
    damage(copied)
    assert re.search(says, mistake(train_command(data, tmp_path / "save", pretrained=copied)))
    assert not list(tmp_path.glob("save/*"))


@slow
class TestTraining:
    """fairseq-train."""

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (dict(left_pad_source="True"), "--left-pad-source True"),
            (dict(fp16=True), "--fp16 needs a GPU"),
            (dict(target_mask_prob="1.5"), "--target-mask-prob is 1.5"),
            (dict(source_mask_prob="-0.1"), "--source-mask-prob is -0.1"),
            (dict(mask_keep_prob="0.6", mask_random_prob="0.6"), "--mask-keep-prob plus --mask-random-prob"),
            (dict(label_smoothing="1.5"), "--label-smoothing is 1.5"),
            (dict(dropout="2"), "--dropout is 2"),
            (dict(encoder_embed_dim=30, encoder_attention_heads=4), "hidden size 30"),
            (dict(target_type_id=2), "--target-type-id is 2"),
            (dict(truncate_source="no", max_source_positions=6), "pairs are longer than"),
            (dict(max_target_positions=1), "--max-target-positions is 1"),
            (dict(max_source_positions=2), "--max-source-positions is 2"),
            (dict(train_subset="trains"), "no split 'trains'"),
            (dict(restore_file="absent.pt"), "absent.pt"),
            (dict(criterion="cross_entropy"), "--criterion cross_entropy ignores labelled slots"),
        ],
        ids=name_of,
    )
    def test_options(self, data: Path, tmp_path: Path, options: Dict[str, object], says: str) -> None:
        line = mistake(train_command(data, tmp_path / "save", **{"encoder_layers": 1, **options}))
        assert says in line
        assert not list(tmp_path.glob("save/*.pt"))

    @pytest.mark.parametrize(
        ("option", "choices"),
        [("finetune_method", "'causal', 'infilling', 'masked', 'pseudo_masked'"), ("truncate_source", "'yes', 'no'")],
    )
    def test_choices_are_listed(self, data: Path, tmp_path: Path, option: str, choices: str) -> None:
        done = attempt(train_command(data, tmp_path / "save", **{option: "telepathic"}))
        assert done.status == 2
        assert f"(choose from {choices})" in done.err.strip().splitlines()[-1]

    def test_missing_data(self, tmp_path: Path) -> None:
        line = mistake(train_command(tmp_path / "absent", tmp_path / "save"))
        assert f"'{tmp_path}/absent'" in line

    def test_empty_data(self, tmp_path: Path) -> None:
        line = mistake(train_command(tmp_path, tmp_path / "save"), fork=False)
        assert "expected the output of fairseq-preprocess" in line

    def test_different_line_counts(self, bert: Path, tmp_path: Path) -> None:
        """They are told before anything is binarized, and again where files were put together by hand."""
        write_pairs(tmp_path, "train", random_lines(9, seed=1), random_lines(8, seed=2))
        write_pairs(tmp_path, "valid", ["w1"], ["w1"])
        line = mistake(preprocess_command(tmp_path, tmp_path / "bin", bert))
        assert "train.src has 9 lines" in line and "train.tgt has 8 lines" in line
        assert not (tmp_path / "bin").exists()
        for side, count in (("src", 9), ("tgt", 8)):
            write_pairs(tmp_path, "train", random_lines(count, seed=1), random_lines(count, seed=2))
            run(preprocess_command(tmp_path, tmp_path / side, bert))
        shutil.copytree(tmp_path / "src", tmp_path / "bin")
        for binarized in (tmp_path / "tgt").glob("train.src-tgt.tgt.*"):
            shutil.copy(binarized, tmp_path / "bin")
        line = mistake(train_command(tmp_path / "bin", tmp_path / "save", encoder_layers=1))
        assert "9 source lines but 8 target lines" in line
        assert not list(tmp_path.glob("save/*.pt"))

    def test_another_vocabulary(self, data: Path, tmp_path: Path) -> None:
        other = make_bert(tmp_path / "other", [*SPECIAL, *reversed(WORDS)])
        line = mistake(train_command(data, tmp_path / "save", pretrained=other))
        assert "binarized with another vocabulary" in line

    def test_another_size_of_vocabulary(self, data: Path, tmp_path: Path) -> None:
        other = make_bert(tmp_path / "other", [*SPECIAL, *WORDS, "more"])
        line = mistake(train_command(data, tmp_path / "save", pretrained=other))
        assert "46 tokens, not 47" in line and "--srcdict" in line

    def test_separate_vocabularies(self, data: Path, tmp_path: Path) -> None:
        shutil.copytree(data, tmp_path / "bin")
        write_lines(tmp_path / "bin" / "dict.tgt.txt", [*SPECIAL, *reversed(WORDS)])
        line = mistake(train_command(tmp_path / "bin", tmp_path / "save"))
        assert "different vocabularies" in line

    def test_resuming_over_another_vocabulary(self, data: Path, imported: Dict[str, Path], tmp_path: Path) -> None:
        shutil.copytree(data, tmp_path / "bin")
        for side in ("src", "tgt"):
            write_lines(tmp_path / "bin" / f"dict.{side}.txt", [*SPECIAL, *reversed(WORDS)])
        line = mistake(generate_command(tmp_path / "bin", imported["causal"]))
        assert "the model was trained with" in line


@slow
class TestPreprocessing:
    """fairseq-preprocess."""

    def test_no_vocabulary(self, texts: Path, tmp_path: Path) -> None:
        languages = ["-s", "src", "-t", "tgt", "--trainpref", texts / "train", "--destdir", tmp_path / "bin"]
        assert "add --srcdict" in mistake(["fairseq-preprocess", *PLUGIN, *languages], fork=False)

    def test_missing_vocabulary(self, texts: Path, tmp_path: Path) -> None:
        line = mistake(preprocess_command(texts, tmp_path / "bin", tmp_path / "absent.txt"))
        assert f"no vocabulary at {tmp_path}/absent.txt" in line

    def test_vocabulary_without_mask(self, texts: Path, tmp_path: Path) -> None:
        write_lines(tmp_path / "vocab.txt", [*SPECIAL[:-1], *WORDS])
        line = mistake(preprocess_command(texts, tmp_path / "bin", tmp_path / "vocab.txt"))
        assert "no [MASK]" in line

    def test_missing_text(self, bert: Path, texts: Path, tmp_path: Path) -> None:
        command = [*preprocess_command(texts, tmp_path / "bin", bert), "--testpref", tmp_path / "absent"]
        assert f"{tmp_path}/absent.src" in mistake(command)

    def test_text_that_is_not_utf_8(self, bert: Path, tmp_path: Path) -> None:
        write_pairs(tmp_path, "train", ["w1", "w2"], ["w1", "w2"])
        (tmp_path / "train.src").write_bytes(b"w1\nw\xe92\n")
        line = mistake(preprocess_command(tmp_path, tmp_path / "bin", bert))
        assert f"{tmp_path}/train.src: line 2 is not valid UTF-8 (byte 0xe9" in line
        assert not (tmp_path / "bin").exists()


@slow
class TestGenerating:
    """fairseq-generate, fairseq-interactive and fairseq-validate."""

    def test_missing_checkpoint(self, data: Path, tmp_path: Path) -> None:
        line = mistake(generate_command(data, tmp_path / "absent.pt"))
        assert f"{tmp_path}/absent.pt" in line

    def test_truncated_checkpoint(self, data: Path, imported: Dict[str, Path], tmp_path: Path) -> None:
        broken = Path(shutil.copy(imported["masked"], tmp_path / "broken.pt"))
        cut_short(broken)
        assert "broken.pt" in mistake(generate_command(data, broken))

    def test_missing_data(self, imported: Dict[str, Path], tmp_path: Path) -> None:
        command = generate_command(tmp_path / "absent", imported["masked"])
        assert "no data directory" in mistake(command, fork=False)

    def test_missing_split(self, data: Path, imported: Dict[str, Path]) -> None:
        line = mistake(generate_command(data, imported["masked"], gen_subset="tests"))
        assert "no split 'tests'" in line

    def test_half_precision(self, data: Path, imported: Dict[str, Path]) -> None:
        assert "--fp16 needs a GPU" in mistake(generate_command(data, imported["masked"], fp16=True))

    def test_ensemble_of_different_methods(self, data: Path, imported: Dict[str, Path]) -> None:
        paths = f"{imported['causal']}:{imported['masked']}"
        line = mistake(generate_command(data, paths))
        assert "causal" in line and "masked" in line

    @pytest.mark.parametrize("flag", [dict(score_reference=True), dict(prefix_size=2)], ids=name_of)
    def test_no_targets(
        self, bert: Path, texts: Path, imported: Dict[str, Path], tmp_path: Path, flag: Dict[str, object]
    ) -> None:
        """The sources alone are enough to generate, but not for what reads the targets."""
        sources = [*preprocess_command(texts, tmp_path / "bin", bert / "vocab.txt"), "--only-source"]
        run(sources)
        languages = dict(source_lang="src", target_lang="tgt")
        generated = run(generate_command(tmp_path / "bin", imported["masked"], **languages)).out
        assert len(re.findall("^H-", generated, re.MULTILINE)) == 100
        line = mistake(generate_command(tmp_path / "bin", imported["masked"], **languages, **flag))
        assert "needs targets" in line

    def test_too_long_for_the_model(self, data: Path, imported: Dict[str, Path]) -> None:
        line = mistake(generate_command(data, imported["masked"], truncate_source="no"))
        assert "pairs are longer than" in line

    def test_input_that_is_not_utf_8(self, data: Path, imported: Dict[str, Path]) -> None:
        command = ["fairseq-interactive", data, *PLUGIN, "--path", imported["masked"], "--cpu"]
        assert "not valid UTF-8" in mistake(command, stdin=b"w1 w2\nw\xe91\n", fork=False)

    def test_validating_without_a_checkpoint(self, data: Path, tmp_path: Path) -> None:
        command = ["fairseq-validate", data, *PLUGIN, "--path", tmp_path / "absent.pt", "--cpu", "--batch-size", 8]
        assert "absent.pt" in mistake(command, fork=False)


@slow
class TestInstallation:
    """The folder's name, and the fairseq beside it."""

    def test_another_name(self, data: Path, tmp_path: Path) -> None:
        copied = shutil.copytree(ROOT / "s2sft_fairseq", tmp_path / "other_name")
        line = mistake(["fairseq-train", data, "--user-dir", copied, "--task", "s2s_ft"])
        assert "'other_name'" in line and "s2sft_fairseq" in line

    @staticmethod
    def with_fairseq(folder: Path, text: str) -> List[str]:
        """A module named fairseq, found before the real one."""
        write_lines(folder / "fairseq" / "__init__.py", [text])
        return ["python", "-m", "s2sft_fairseq.generate"]

    def test_no_fairseq(self, tmp_path: Path) -> None:
        missing = "raise ModuleNotFoundError(\"No module named 'fairseq'\", name='fairseq')"
        line = mistake(self.with_fairseq(tmp_path, missing), env={"PYTHONPATH": str(tmp_path)})
        assert "fairseq is not installed" in line and "pip install" in line

    def test_old_fairseq(self, tmp_path: Path) -> None:
        line = mistake(self.with_fairseq(tmp_path, "__version__ = '0.10.0'"), env={"PYTHONPATH": str(tmp_path)})
        assert "fairseq 0.10.0 is too old" in line

    def test_fork_of_fairseq_is_only_warned_of(self, tmp_path: Path) -> None:
        write_lines(tmp_path / "fairseq-0.12.3.1.dist-info" / "METADATA", ["Name: fairseq", "Version: 0.12.3.1"])
        done = run(["python", "-c", "import s2sft_fairseq"], env={"PYTHONPATH": str(tmp_path)})
        assert "--required-batch-size-multiple 1" in done.err


def test_ctrl_c_is_one_line(tmp_path: Path) -> None:
    """The command waits in a pipe without a writer when the signal comes."""
    os.mkfifo(tmp_path / "in")
    command = [sys.executable, "-m", "s2sft_fairseq.evaluate", "--metric", "bleu"]
    files = ["--hypothesis", str(tmp_path / "in"), "--reference", str(tmp_path / "in")]
    waiting = subprocess.Popen([*command, *files], stderr=subprocess.PIPE, text=True, env=environment())
    with waiting as process, (tmp_path / "in").open("w"):  # opens when the command does
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.read().splitlines()[-1:] == ["s2sft_fairseq: interrupted"]
    assert process.returncode in (-signal.SIGINT, 128 + signal.SIGINT)
