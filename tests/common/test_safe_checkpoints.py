"""A checkpoint is data: whatever program is in it, and wherever, it is refused in one line and never runs."""

import copy
import io
import os
import pickle
import re
import tarfile
from argparse import Namespace
from pathlib import Path
from typing import Any, Callable, Dict, List

import fairseq
import pytest
import torch
from commands import (
    ERROR,
    IMPORT,
    PLUGIN,
    ROOT,
    Done,
    environment,
    fork_server,
    generate_command,
    make_bert,
    train_command,
)
from fairseq import checkpoint_utils
from omegaconf import OmegaConf

from s2sft_fairseq import S2SModel, import_pretrained
from s2sft_fairseq.common.checkpoint_files import load_checkpoint
from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.common.evaluated_options import EVALUATED, is_plain
from s2sft_fairseq.common.fairseq_patches import execute_no_checkpoint

EXECUTE, ENFORCE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
Content = Dict[str, Any]


class Payload:
    """Creates a folder when it is unpickled in the ordinary way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Content:
    """That of a checkpoint in order."""
    folder = tmp_path_factory.mktemp("checkpoint")
    import_pretrained.main(["--from", str(make_bert(folder / "bert")), "--to", str(folder / "imported")])
    return dict(torch.load(folder / "imported" / "model.pt", weights_only=False))


def in_tar(content: Content, path: Path) -> None:
    """torch's first format."""
    with tarfile.open(path, "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            data = pickle.dumps(content if name == "pickle" else {}, protocol=2)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


FORMATS: Dict[str, Callable[[Content, Path], None]] = {
    "zip": torch.save,
    "legacy": lambda content, path: torch.save(content, path, _use_new_zipfile_serialization=False),
    "protocol 4": lambda content, path: torch.save(content, path, pickle_protocol=4),
    "pickle": lambda content, path: path.write_bytes(pickle.dumps(content["args"], protocol=2)) and None,
    "tar": in_tar,
    "fairseq": lambda content, path: checkpoint_utils.torch_persistent_save(content, str(path)),
}


@pytest.fixture(params=[None, EXECUTE, ENFORCE])
def switch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's environment variables: none, the one that reverses its default, or the one that enforces it."""
    if request.param:
        monkeypatch.setenv(request.param, "1")


def refused(path: Path) -> str:
    """The one line in which a checkpoint is refused."""
    with pytest.raises(UserError) as caught:
        S2SModel.from_pretrained(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.usefixtures("switch")
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("form", FORMATS)
def test_no_format_runs(content: Content, form: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    FORMATS[form]({**content, "args": Payload(tmp_path / "executed")}, path)
    refused(path)
    assert not (tmp_path / "executed").exists()


PLACES = (
    *(["model", "transformer.x"], ["args"], ["cfg"], ["extra_state", "x"], ["optimizer_history", 0, "x"]),
    *(["last_optimizer_state"], ["task_state", "x"], ["more"]),
)


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_no_place_runs(content: Content, place: List[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EXECUTE, "1")
    changed = inner = copy.deepcopy(content)
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = Payload(tmp_path / "executed")
    torch.save(changed, tmp_path / "model.pt")
    assert "holds more than weights: its pickle asks for posix.mkdir" in refused(tmp_path / "model.pt")
    assert not (tmp_path / "executed").exists()
    with pytest.warns(UserWarning, match=EXECUTE):
        torch.load(tmp_path / "model.pt")
    assert (tmp_path / "executed").exists(), "the payload is harmless: this test shows nothing"


def test_fairseqs_reader_in_commands(content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``execute_no_checkpoint``; :class:`TestCommands` runs the commands."""
    monkeypatch.setenv(EXECUTE, "1")
    monkeypatch.setattr(checkpoint_utils, "load_checkpoint_to_cpu", checkpoint_utils.load_checkpoint_to_cpu)
    torch.save({**content, "args": Payload(tmp_path / "executed")}, tmp_path / "model.pt")
    execute_no_checkpoint()
    with pytest.raises(UserError, match="holds more than weights"):
        checkpoint_utils.load_model_ensemble_and_task([str(tmp_path / "model.pt")])
    assert not (tmp_path / "executed").exists()


def test_whole_modules_and_programs(content: Content, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({**content, "model": torch.nn.Linear(1, 1)}, path)
    assert "its pickle asks for torch.nn.modules.linear.Linear" in refused(path)
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), path)
    assert "is a TorchScript program" in refused(path)


def test_both_switches_are_one_line(content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(content, tmp_path / "model.pt")
    for name in (EXECUTE, ENFORCE):
        monkeypatch.setenv(name, "1")
    assert f"{ENFORCE} and {EXECUTE} are set; unset one" in refused(tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("name", "bytes_of", "said"),
    [
        ("a text", b"some text\nof two lines\n", "is a text file"),
        ("nothing", b"", "is empty"),
        ("a web page", b"<!DOCTYPE html><html></html>", "is a web page"),
        ("a pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "is a git-lfs pointer"),
        ("gzip", b"\x1f\x8b\x08\x00rest", r"is compressed \(gzip\); unpack it"),
        ("JSON", b'{"a": 1}', "is a text file"),
        ("bytes", bytes(range(256)), "is truncated, damaged or not a checkpoint"),
    ],
)
def test_other_files(name: str, bytes_of: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(bytes_of)
    assert re.search(said, refused(tmp_path / "model.pt"))


@pytest.mark.parametrize("other", [[1, 2], torch.ones(2), {"w": torch.ones(2)}, {"model": 3}, {"model": {}, "cfg": {}}])
def test_other_content(other: Any, tmp_path: Path) -> None:
    torch.save(other, tmp_path / "model.pt")
    assert "is not a checkpoint of fairseq" in refused(tmp_path / "model.pt")


NOISE = (3, "text", [1], torch.ones(2), True)


@pytest.mark.parametrize(
    "place",
    [
        *(["args"], ["cfg"], ["cfg", "common"], ["cfg", "model"], ["cfg", "model", "encoder_layers"]),
        *(["cfg", "bpe"], ["cfg", "task"], ["cfg", "generation"], ["model", "transformer.embeddings.token.weight"]),
        *(["task_state"], ["task_state", "text_side"], ["task_state", "text_side", "dict.txt"]),
    ],
    ids=".".join,
)
def test_allowed_types_in_the_wrong_place(content: Content, place: List[str], tmp_path: Path) -> None:
    """Nothing hostile, but fairseq would end in a traceback."""
    for noise in NOISE:
        changed = copy.deepcopy(content)
        changed["cfg"] = OmegaConf.to_container(changed["cfg"])
        inner = changed
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = noise
        torch.save(changed, tmp_path / "model.pt")
        with pytest.raises(UserError):
            S2SModel.from_pretrained(tmp_path / "model.pt")


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/b", "..", "", "a\0b", 3])
def test_names_of_vocabulary_files(content: Content, name: Any, tmp_path: Path) -> None:
    """A checkpoint writes no file outside its temporary folder."""
    files = {**content["task_state"]["text_side"], name: torch.zeros(1, dtype=torch.uint8)}
    torch.save({**content, "task_state": {"text_side": files}}, tmp_path / "model.pt")
    with pytest.raises(UserError, match=r"the vocabulary files in the checkpoint .* are damaged"):
        S2SModel.from_pretrained(tmp_path / "model.pt")


class TestEvaluatedOptions:
    """fairseq runs some options of its own models; a checkpoint of a language model, say, may bring one."""

    PROGRAM = "__import__('os').mkdir('executed')"

    @pytest.mark.parametrize("wrap", [dict, OmegaConf.create, lambda model: {"inner": [Namespace(**model)], **model}])
    def test_programs_are_refused(self, content: Content, wrap: Callable[[Content], Any], tmp_path: Path) -> None:
        model = wrap({"_name": "fconv_lm", "decoder_layers": self.PROGRAM})
        torch.save({**content, "cfg": {"model": model}}, tmp_path / "model.pt")
        with pytest.raises(UserError, match=r"has the option decoder_layers .*, a program that is never executed"):
            load_checkpoint(str(tmp_path / "model.pt"))

    def test_those_of_old_checkpoints_too(self, content: Content, tmp_path: Path) -> None:
        args = Namespace(arch="fconv_lm", _name="s2s_ft", decoder_layers=f" {self.PROGRAM}")
        torch.save({**content, "args": args}, tmp_path / "model.pt")
        with pytest.raises(UserError, match="has the option decoder_layers"):
            load_checkpoint(str(tmp_path / "model.pt"))

    @pytest.mark.parametrize(
        "text", ["[(850, 6)] * 3 + [(850, 1)]", "(0.9, 0.98)", "False", "no", "bert-base", "1e-6", ""]
    )
    def test_values_are_not(self, text: str) -> None:
        assert is_plain(text)

    @pytest.mark.parametrize(
        "text", [PROGRAM, f"\t{PROGRAM}", f"[{PROGRAM}]", "().__class__", "[x for x in y]", "${a.b}"]
    )
    def test_what_is_no_value(self, text: str) -> None:
        assert not is_plain(text)

    def test_the_list_is_complete(self) -> None:
        """As this fairseq's source has it."""
        read = r"\beval(?:_bool|_str_list|_str_dict)?\(\s*(?:getattr\(\w+, \"|(?:self\.)?(?:args|cfg)\.)(\w+)"
        folder = Path(fairseq.__file__).parent
        sources = [path for path in folder.rglob("*.py") if "examples" not in path.relative_to(folder).parts]
        found = {name for path in sources for name in re.findall(read, path.read_text(encoding="utf-8"))}
        assert {"decoder_layers", "character_filters", "left_pad_source"} < found <= {*EVALUATED}


def attempt(command: List[object]) -> Done:
    """Runs a command where torch would execute what is in a file, unless it is asked not to."""
    words = [str(word) for word in command]
    return fork_server().run(words, stdin=b"w1 w2\n", cwd=ROOT, env=environment({EXECUTE: "1"}))


@pytest.mark.slow
class TestCommands:
    """In fairseq's commands this is the patch ``execute_no_checkpoint``; without it the payload runs."""

    @pytest.fixture(scope="class")
    def hostile(self, content: Content, tmp_path_factory: pytest.TempPathFactory) -> Path:
        path = tmp_path_factory.mktemp("hostile") / "hostile.pt"
        torch.save({**content, "extra_state": {"x": Payload(path.parent / "executed")}}, path)
        return path

    @pytest.mark.parametrize(
        "command",
        [
            "generate, path",
            "generate, ensemble",
            "generate, lm-path",
            "interactive",
            "validate",
            "eval-lm",
            "train, restore-file",
            "train, finetune-from-model",
            "train, resume",
            "train, pretrained",
            "text",
            "export",
            "merge",
            "import",
            "rerank",
        ],
    )
    def test_a_hostile_checkpoint(
        self, command: str, hostile: Path, data: Path, bert: Path, imported: Dict[str, Path], tmp_path: Path
    ) -> None:
        good, save = imported["masked"], tmp_path / "save"
        save.mkdir()
        (
            save / "model.pt" if "pretrained" in command or command == "import" else save / "checkpoint_last.pt"
        ).write_bytes(hostile.read_bytes())
        reading_only = ["--cpu", "--batch-size", 4, "--path", hostile]
        package = ["python", "-m"]
        words: Dict[str, List[object]] = {
            "generate, path": generate_command(data, hostile),
            "generate, ensemble": generate_command(data, f"{good}:{hostile}"),
            "generate, lm-path": generate_command(data, good, lm_path=hostile),
            "interactive": ["fairseq-interactive", data, *PLUGIN, "--cpu", "--path", hostile],
            "validate": ["fairseq-validate", data, *PLUGIN, *reading_only],
            "eval-lm": ["fairseq-eval-lm", data, "--user-dir", "s2sft_fairseq", *reading_only],
            "train, restore-file": train_command(data, tmp_path / "new", pretrained=bert, restore_file=hostile),
            "train, finetune-from-model": train_command(
                data, tmp_path / "new", pretrained=bert, finetune_from_model=hostile
            ),
            "train, resume": train_command(data, save, pretrained=bert),
            "train, pretrained": train_command(data, tmp_path / "new", pretrained=save),
            "text": [*package, "s2sft_fairseq.generate", "--cpu", "--checkpoint", hostile],
            "export": [*package, "s2sft_fairseq.export_pretrained", "--checkpoint", hostile, "--to", tmp_path / "to"],
            "merge": [*package, "s2sft_fairseq.merge_adapters", hostile, "--to", tmp_path / "to.pt"],
            "import": [*IMPORT, "--from", save, "--to", tmp_path / "to"],
            "rerank": [*package, "s2sft_fairseq.rerank", "--test", hostile, "--output", tmp_path / "to", "--weight", 1],
        }
        done = attempt(words[command])
        lines = done.err.strip().splitlines()
        assert done.status != 0 and "Traceback" not in done.err, done.err[-3000:]
        assert lines[-1].startswith(ERROR), done.err[-3000:]
        assert not (hostile.parent / "executed").exists()
