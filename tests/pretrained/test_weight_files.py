"""Weight files of every format give the same tensors, in bounded memory; damaged and hostile ones are refused."""

import argparse
import io
import itertools
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict

import numpy as np
import pytest
import safetensors.torch
import torch
from omegaconf import OmegaConf
from torch import Tensor

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.pretrained import weight_formats
from s2sft_fairseq.pretrained.weight_files import find_config, open_weights

State = Dict[str, Tensor]
Writer = Callable[[Path, State], None]


def tensors() -> State:
    """Tensors of every rank, one of no rows and one of several parts."""
    generator = torch.Generator().manual_seed(1)
    shapes = {"table.weight": (700, 6), "layer.0.bias": (5,), "relative": (1, 2, 3, 4), "scale": (), "none": (0, 3)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets small tensors take many parts: the table has 4,200 numbers."""
    monkeypatch.setattr(weight_formats, "PART", 1000)


def safetensors_file(directory: Path, state: State) -> None:
    safetensors.torch.save_file(state, directory / "model.safetensors")


def zip_bin(directory: Path, state: State) -> None:
    torch.save(state, directory / "pytorch_model.bin")


def legacy_bin(directory: Path, state: State) -> None:
    torch.save(state, directory / "pytorch_model.bin", _use_new_zipfile_serialization=False)


def compressed_bin(directory: Path, state: State) -> None:
    torch.save(state, directory / "stored")
    packed = directory / "pytorch_model.bin"
    with zipfile.ZipFile(directory / "stored") as stored, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name in stored.namelist():
            file.writestr(name, stored.read(name))


def fairseq_pt(directory: Path, state: State) -> None:
    torch.save({"args": argparse.Namespace(arch="roberta"), "model": state}, directory / "model.pt")


def npz(directory: Path, state: State) -> None:
    np.savez(directory / "params.npz", **{name: tensor.numpy() for name, tensor in state.items()})


def compressed_npz(directory: Path, state: State) -> None:
    np.savez_compressed(directory / "params.npz", **{name: tensor.numpy() for name, tensor in state.items()})


def npy_folder(directory: Path, state: State) -> None:
    for name, tensor in state.items():
        np.save(directory / f"{name}.npy", tensor.numpy())


def npy_params(directory: Path, state: State) -> None:
    (directory / "params").mkdir()
    npy_folder(directory / "params", state)


def sharded(directory: Path, state: State, *, stem: str, suffix: str, save: Callable[[Any, Path], None]) -> None:
    """Every tensor in a shard of its own, but the first two in one."""
    names = list(state)
    file_of = {name: f"{stem}-{max(i, 1):05}{suffix}" for i, name in enumerate(names)}
    for file in set(file_of.values()):
        save({name: state[name] for name in names if file_of[name] == file}, directory / file)
    (directory / f"{stem}{suffix}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": file_of}))


def sharded_safetensors(directory: Path, state: State) -> None:
    sharded(directory, state, stem="model", suffix=".safetensors", save=safetensors.torch.save_file)


def sharded_bin(directory: Path, state: State) -> None:
    sharded(directory, state, stem="pytorch_model", suffix=".bin", save=torch.save)


TORCH = [zip_bin, legacy_bin, compressed_bin, fairseq_pt, sharded_bin]
NUMPY = [npz, compressed_npz, npy_folder, npy_params]
FORMATS = [safetensors_file, sharded_safetensors, *TORCH, *NUMPY]


@pytest.mark.parametrize("write", FORMATS)
def test_every_format_gives_the_tensors_that_were_written(write: Writer, tmp_path: Path) -> None:
    written = tensors()
    write(tmp_path, written)
    weights = open_weights(tmp_path)
    assert sorted(weights.names) == sorted(written)
    for name, tensor in written.items():
        assert weights.shape(name) == tuple(tensor.shape)
        taken = weights.take(name)
        assert taken.dtype == torch.float32 and taken.is_contiguous()
        assert torch.equal(taken, tensor), name


@pytest.mark.parametrize(
    ("write", "dtype"),
    [
        *itertools.product([safetensors_file, *TORCH, *NUMPY], [torch.float16, torch.float64]),
        *itertools.product([safetensors_file, *TORCH], [torch.bfloat16]),  # numpy has none
    ],
)
def test_other_precisions_become_float32(write: Writer, dtype: torch.dtype, tmp_path: Path) -> None:
    written = {name: tensor.to(dtype) for name, tensor in tensors().items()}
    write(tmp_path, written)
    weights = open_weights(tmp_path)
    for name, tensor in written.items():
        assert torch.equal(weights.take(name), tensor.float()), name


@pytest.mark.parametrize("write", FORMATS)
def test_a_tensor_taken_has_memory_of_its_own(write: Writer, tmp_path: Path) -> None:
    written = tensors()
    write(tmp_path, written)
    table = open_weights(tmp_path).take("table.weight")
    assert table.untyped_storage().nbytes() == table.numel() * 4
    table.zero_()
    assert torch.equal(open_weights(tmp_path).take("table.weight"), written["table.weight"])


@pytest.mark.parametrize("write", TORCH)
def test_tied_sliced_and_strided_tensors_of_torch(write: Writer, tmp_path: Path) -> None:
    table = torch.randn(700, 6)
    state = {"tied": table, "table": table, "rows": table[3:9], "columns": table[:, 1:3], "turned": table.t()}
    write(tmp_path, {name: torch.nn.Parameter(tensor) for name, tensor in state.items()})
    weights = open_weights(tmp_path)
    taken = {name: weights.take(name) for name in state}
    for name, tensor in state.items():
        assert torch.equal(taken[name], tensor), name
        assert taken[name].is_contiguous() and not taken[name].requires_grad
        assert taken[name].untyped_storage().nbytes() == tensor.numel() * 4
    assert len({tensor.data_ptr() for tensor in taken.values()}) == len(state)


@pytest.mark.parametrize("write", [npz, npy_folder])
def test_arrays_by_columns_and_of_another_byte_order(write: Writer, tmp_path: Path) -> None:
    table = torch.randn(700, 6)
    write(tmp_path, {"turned": table.t(), "plain": table})
    swapped = table.numpy().astype(">f4")
    np.save(tmp_path / "swapped.npy", swapped)
    weights = open_weights(tmp_path)
    assert torch.equal(weights.take("turned"), table.t())
    if write is npy_folder:
        assert torch.equal(weights.take("swapped"), table)


@pytest.mark.parametrize(
    "options",
    [
        {"args": argparse.Namespace(arch="roberta_base", encoder_layers=3)},
        {"args": None, "cfg": {"model": argparse.Namespace(arch="roberta_base", encoder_layers=3)}},
        {"args": None, "cfg": {"model": {"arch": "roberta_base", "encoder_layers": 3}}},
        {"cfg": OmegaConf.create({"model": {"arch": "roberta_base", "encoder_layers": 3}})},
    ],
)
def test_options_of_a_fairseq_checkpoint(options: Dict[str, Any], tmp_path: Path) -> None:
    torch.save({**options, "model": tensors(), "last_optimizer_state": {"m": torch.ones(3)}}, tmp_path / "model.pt")
    weights = open_weights(tmp_path)
    assert weights.config == {"arch": "roberta_base", "encoder_layers": 3}
    assert set(weights.names) == set(tensors())


def test_other_formats_say_nothing_of_the_model(tmp_path: Path) -> None:
    safetensors_file(tmp_path, tensors())
    assert open_weights(tmp_path).config == {}


# Which files


@pytest.mark.parametrize("name", ["unilm1.2-base-uncased.bin", "xlmr.pt", "encoder.safetensors"])
def test_a_single_file_of_another_name(name: str, tmp_path: Path) -> None:
    save = safetensors.torch.save_file if name.endswith("safetensors") else torch.save
    save(tensors(), tmp_path / name)
    torch.save({"no": "weights"}, tmp_path / "training_args.bin")
    assert torch.equal(open_weights(tmp_path).take("scale"), tensors()["scale"])


def test_standard_names_come_first_and_safetensors_before_the_others(tmp_path: Path) -> None:
    names = ["other.safetensors", "model.pt", "pytorch_model.bin", "model.safetensors"]
    for value, name in enumerate(names):
        save = safetensors.torch.save_file if name.endswith("safetensors") else torch.save
        save({"value": torch.tensor(float(value))}, tmp_path / name)
        if name != "other.safetensors":
            assert open_weights(tmp_path).take("value") == value
    for name in names[1:]:
        (tmp_path / name).unlink()
    npz(tmp_path, {"value": torch.tensor(9.0)})
    assert open_weights(tmp_path).take("value") == 0


def test_several_files_without_a_standard_name_are_listed(tmp_path: Path) -> None:
    for name in ("b.bin", "a.bin"):
        torch.save(tensors(), tmp_path / name)
    with pytest.raises(UserError, match=r"none is called .*model\.safetensors.*: a\.bin, b\.bin;"):
        open_weights(tmp_path)


def test_no_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"has no weights; expected model\.safetensors,.*\.npz.*NAME\.npy"):
        open_weights(tmp_path)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    sharded_safetensors(tmp_path, tensors())
    (tmp_path / "model-00002.safetensors").unlink()
    with pytest.raises(UserError, match=r"index\.json names 4 shards, but model-00002\.safetensors is missing"):
        open_weights(tmp_path)


def test_a_shard_without_its_tensor_is_named(tmp_path: Path) -> None:
    sharded_safetensors(tmp_path, tensors())
    safetensors.torch.save_file({"else": torch.ones(1)}, tmp_path / "model-00002.safetensors")
    with pytest.raises(UserError, match=r"names relative, which is not in model-00002\.safetensors"):
        open_weights(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": "b.txt"}}', "<html>"])
def test_a_damaged_index(text: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(UserError, match="is not an index of shards"):
        open_weights(tmp_path)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["config.json", "ernie_config.json"], "config.json"),
        (["ernie_config.json", "my_config.json"], "ernie_config.json"),
        (["unilm1.2-base-uncased-config.json", "tokenizer_config.json", "generation_config.json"], "unilm1"),
        (["a_config.json", "b_config.json"], None),
        (["tokenizer_config.json", "vocab.txt"], None),
    ],
)
def test_the_config_is_found(files: Any, found: Any, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).write_text("{}")
    path = find_config(tmp_path)
    assert path is None if found is None else path is not None and path.name.startswith(found)


# Damaged and hostile files

FILE_NAMES = ["model.safetensors", "pytorch_model.bin", "model.pt", "params.npz", "table.npy"]


@pytest.mark.parametrize("name", FILE_NAMES)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 440449768\n", "git-lfs pointer"),
        (b"\n<!DOCTYPE html>\n<html><body>Not found</body></html>", "web page"),
        (b"\x00\x01\x02 some bytes that are nothing in particular" * 9, "truncated, damaged or not a checkpoint"),
    ],
)
def test_files_that_hold_no_weights(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        open_weights(tmp_path)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def take_all(directory: Path) -> None:
    """Opens the weights of a directory and takes every tensor."""
    weights = open_weights(directory)
    for name in weights.names:
        weights.take(name)


@pytest.mark.parametrize("write", [safetensors_file, zip_bin, legacy_bin, npz, npy_folder])
def test_truncated_files(write: Writer, tmp_path: Path) -> None:
    write(tmp_path, {"table.weight": tensors()["table.weight"]})
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for length in [*range(0, 300, 7), *range(300, len(whole), 997), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(UserError) as caught:
            take_all(tmp_path)
        assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("write", [safetensors_file, zip_bin, legacy_bin, npz, npy_folder])
def test_a_flipped_byte_is_read_or_refused(write: Writer, tmp_path: Path) -> None:
    """Whatever its place, the outcome is tensors (a number changed) or one line; never another exception."""
    write(tmp_path, {"table.weight": torch.ones(2, 3)})
    (path,) = tmp_path.iterdir()
    whole, refused = path.read_bytes(), 0
    for place in range(0, len(whole), 5):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            take_all(tmp_path)
        except UserError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused


class Payload:
    """What would create a file when it is unpickled in the ordinary way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(("protocol", "said"), [(2, "its pickle asks for .*mkdir"), (4, "Unsupported operand 149")])
@pytest.mark.parametrize(
    "wrap", [lambda p: p, lambda p: {"w": torch.ones(2), "x": p}, lambda p: {"model": {}, "args": p}]
)
def test_nothing_in_a_pickle_is_executed(
    wrap: Callable[[Any], Any], protocol: int, said: str, zipped: bool, tmp_path: Path
) -> None:
    path, proof = tmp_path / "pytorch_model.bin", tmp_path / "executed"
    torch.save(wrap(Payload(proof)), path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=rf"pytorch_model\.bin .*{said}") as caught:
        open_weights(tmp_path)
    assert not proof.exists() and "\n" not in str(caught.value)
    torch.load(path, weights_only=False)
    assert proof.exists(), "the payload is harmless: this test shows nothing"


def test_a_bare_pickle_is_not_executed(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(tmp_path / "executed"), protocol=2))
    with pytest.raises(UserError, match="asks for"):
        open_weights(tmp_path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("archive", [True, False])
def test_objects_in_arrays_are_not_executed(archive: bool, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([Payload(tmp_path / "executed")], dtype=object), allow_pickle=True)
    if archive:
        with zipfile.ZipFile(tmp_path / "params.npz", "w") as file:
            file.writestr("w.npy", buffer.getvalue())
    else:
        (tmp_path / "w.npy").write_bytes(buffer.getvalue())
    with pytest.raises(UserError, match="pickled objects"):
        open_weights(tmp_path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "content", [[torch.ones(2)], {"w": torch.ones(2), "epoch": 3}, torch.ones(2), {"model": {"w": 1}}]
)
def test_a_file_of_something_else_than_named_tensors(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="something other than named tensors"):
        open_weights(tmp_path)


@pytest.mark.parametrize("write", [safetensors_file, zip_bin, legacy_bin, npz])
def test_integers_can_be_there_but_are_no_weights(write: Writer, tmp_path: Path) -> None:
    write(tmp_path, {"position_ids": torch.arange(3), "w": torch.ones(2)})
    weights = open_weights(tmp_path)
    assert torch.equal(weights.take("w"), torch.ones(2))
    with pytest.raises(UserError, match=r"position_ids holds .*int64 numbers; expected floating-point"):
        weights.take("position_ids")


def test_an_array_larger_than_memory_is_one_line(tmp_path: Path) -> None:
    with open(tmp_path / "w.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (10**15,)})
    weights = open_weights(tmp_path)
    with pytest.raises(UserError, match="needs more memory than there is"):
        weights.take("w")


# Memory

MEASURE = """
import sys
from pathlib import Path
from s2sft_fairseq.pretrained.weight_files import open_weights

def kilobytes(field):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field))

open("/proc/self/clear_refs", "w").write("5")  # the peak becomes what is resident now
before = kilobytes("VmRSS:")
weights = open_weights(Path(sys.argv[1]))
taken = [weights.take(name) for name in sys.argv[2:]]
print((kilobytes("VmHWM:") - before) * 1024)
"""


def peak(directory: Path, *names: str) -> int:
    """The bytes by which memory rises at most while tensors are taken and kept."""
    command = [sys.executable, "-c", MEASURE, directory, *names]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def tied_with_optimizer(directory: Path, state: State) -> None:
    """A fairseq checkpoint as training leaves it: a tied output layer, and two moments of the table."""
    moments = [torch.rand_like(state["table"]) for _ in range(2)]
    tied = {**state, "output": state["table"]}
    content = {"args": argparse.Namespace(), "model": tied, "last_optimizer_state": moments}
    torch.save(content, directory / "model.pt")


def tied_legacy(directory: Path, state: State) -> None:
    legacy_bin(directory, {"output": state["table"], **state})


LARGE = [safetensors_file, sharded_safetensors, zip_bin, legacy_bin, npz, compressed_npz, npy_folder]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads /proc")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize("write", [*LARGE, tied_with_optimizer, tied_legacy])
def test_a_table_of_250002_rows_takes_no_more_than_1_3_times_its_size(
    write: Writer, dtype: torch.dtype, tmp_path: Path
) -> None:
    """But for torch's old format in half precision: it is read as a whole, and is half as large as its tensors."""
    table = torch.rand(250_002, 192).to(dtype)
    write(tmp_path, {"table": table, "rest": torch.ones(3, 3)})
    rise = peak(tmp_path, "table", "rest") / (4 * table.numel())
    old_and_narrow = dtype == torch.float16 and write in (legacy_bin, tied_legacy)
    assert 1 <= rise <= (1.55 if old_and_narrow else 1.3)
