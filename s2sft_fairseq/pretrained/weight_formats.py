"""The formats of weight files, one class each: named tensors that are read one at a time, in bounded memory.

Pages of a mapped file count towards the process's memory for as long as they are mapped, so a tensor is read in parts,
and the file is mapped anew between them. Nothing in a file is ever executed.
"""

import math
import zipfile
from abc import ABC, abstractmethod
from argparse import Namespace
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Callable, ContextManager, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from omegaconf import OmegaConf
from safetensors import safe_open
from torch import Tensor

from ..common.errors import UserError
from ..common.read_errors import reading
from ..common.torch_files import read_torch

PART = 1 << 20
"""How many numbers of a large tensor are read at a time: 4 MB in float32."""

CONTAINERS = ("model", "state_dict", "model_state_dict", "net", "module")
"""The entries of a file that may hold the model's tensors, the preferred one first."""

Shape = Tuple[int, ...]
RowSlice = Union[slice, Tuple[()]]


class Weights(ABC):
    """Named tensors in files.

    Attributes:
        path: the file, or the folder of files.
        names: as published.
        config: what the file itself says about its model (the options of a fairseq checkpoint), or nothing.
    """

    def __init__(
        self, path: Path, shapes: Mapping[str, Sequence[int]], config: Optional[Dict[str, Any]] = None
    ) -> None:
        self.path = path
        self.shapes: Dict[str, Shape] = {name: tuple(shape) for name, shape in shapes.items()}
        self.config = config or {}

    @property
    def names(self) -> List[str]:
        """The published names of all tensors, in the file's order."""
        return list(self.shapes)

    def shape(self, name: str) -> Shape:
        """The shape of a tensor; nothing is read for it."""
        return self.shapes[name]

    @abstractmethod
    def take(self, name: str) -> Tensor:
        """Reads a tensor: float32, contiguous, in memory of its own. Each can be taken once, in any order.

        Raises:
            UserError: the file is damaged, or the tensor does not hold floating-point numbers.
        """


class InParts(Weights):
    """Weights that are copied out of a file part by part."""

    @abstractmethod
    def parts(self, name: str) -> Iterator[Tensor]:
        """The numbers of a tensor in order, in parts of at most PART numbers (or of one row)."""

    def take(self, name: str) -> Tensor:
        with reading(self.path):
            tensor = torch.empty(self.shapes[name], dtype=torch.float32, device="cpu")
            numbers, filled = tensor.view(-1), 0
            for part in self.parts(name):
                check_floating(self.path, name, part.dtype)
                numbers[filled : filled + part.numel()] = part.reshape(-1)
                filled += part.numel()
            if filled < len(numbers):
                raise UserError(f"{self.path}: {name} is truncated; copy the file again")
        return tensor


class Safetensors(InParts):
    """A .safetensors file."""

    def __init__(self, path: Path) -> None:
        with reading(path), safe_open(path, framework="pt") as file:
            super().__init__(path, {name: file.get_slice(name).get_shape() for name in file.keys()})  # noqa: SIM118

    def parts(self, name: str) -> Iterator[Tensor]:
        for rows in spans(self.shapes[name]):
            with safe_open(self.path, framework="pt") as file:
                yield file.get_slice(name)[rows]


class MappedTorch(InParts):
    """A torch.save file in the current format; what is never taken (the optimizer, tied tensors) is never read."""

    def __init__(self, path: Path) -> None:
        config = self.map(path)
        super().__init__(path, {name: tensor.shape for name, tensor in self.tensors.items()}, config)

    def map(self, path: Path) -> Dict[str, Any]:
        """Maps the file anew, which frees the pages that were read; returns the file's ``config``."""
        self.tensors, config = load_torch(path, mmap=True)
        self.touched = 0
        return config

    def parts(self, name: str) -> Iterator[Tensor]:
        for rows in spans(self.shapes[name]):
            part = self.tensors[name][rows]
            yield part
            self.touched += part.numel()
            if self.touched >= PART:
                self.map(self.path)


class LoadedTorch(Weights):
    """A torch.save file that cannot be mapped (written before torch 1.6, or compressed): loaded whole, then emptied.

    A float32 tensor is returned as it was loaded. One that shares memory with a tensor taken before (a tied weight), or
    is part of a larger one, is copied: take all tensors before changing any.
    """

    def __init__(self, path: Path) -> None:
        self.tensors, config = load_torch(path, mmap=False)
        self.handed_out = {0}
        super().__init__(path, {name: tensor.shape for name, tensor in self.tensors.items()}, config)

    def take(self, name: str) -> Tensor:
        tensor = self.tensors.pop(name)
        check_floating(self.path, name, tensor.dtype)
        storage = tensor.untyped_storage()
        whole = tensor.is_contiguous() and storage.nbytes() == 4 * tensor.numel()
        if tensor.dtype != torch.float32 or not whole or storage.data_ptr() in self.handed_out:
            return tensor.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        self.handed_out.add(storage.data_ptr())
        return tensor


class Arrays(InParts):
    """Arrays of numpy.save (a dump of Paddle's parameters), named after their files.

    ``np.load(mmap_mode="r")`` would be a second code path that saves no memory: it does not map archives, and a table
    takes 1.08 times its size when it is mapped anew for every part, as here, but 2.05 times when it is mapped once.
    """

    def __init__(self, path: Path, files: Sequence[str]) -> None:
        self.path = path
        super().__init__(path, {file[: -len(".npy")]: self.shape_in(file) for file in files})

    @abstractmethod
    def stream(self, file: str) -> ContextManager[IO[bytes]]:
        """Opens the file of an array."""

    def shape_in(self, file: str) -> Shape:
        """Reads the shape of an array; raises UserError if it holds pickled objects."""
        with self.stream(file) as stream:
            shape, _, dtype = array_header(stream)
        if dtype.hasobject:
            raise UserError(f"{self.path}: {file} holds pickled objects, which are never executed; expected numbers")
        return shape

    def parts(self, name: str) -> Iterator[Tensor]:
        with self.stream(f"{name}.npy") as stream:
            shape, is_column_major, dtype = array_header(stream)
            check_floating(self.path, name, dtype)
            if is_column_major:
                stream.seek(0)
                array = np.lib.format.read_array(stream, allow_pickle=False)
                yield from (as_tensor(array[rows]) for rows in spans(shape))
                return
            size = math.prod(shape)
            for start in range(0, size, PART):
                part = stream.read(min(PART, size - start) * dtype.itemsize)
                yield as_tensor(np.frombuffer(part, dtype))


class Npz(Arrays):
    """An archive of numpy.savez."""

    def __init__(self, path: Path) -> None:
        with reading(path), zipfile.ZipFile(path) as archive:
            files = [name for name in archive.namelist() if name.endswith(".npy")]
        super().__init__(path, files)

    @contextmanager
    def stream(self, file: str) -> Iterator[IO[bytes]]:
        with reading(self.path), zipfile.ZipFile(self.path) as archive, archive.open(file) as stream:
            yield stream


class NpyFolder(Arrays):
    """A folder of NAME.npy files."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, sorted(file.name for file in path.glob("*.npy")))

    @contextmanager
    def stream(self, file: str) -> Iterator[IO[bytes]]:
        with reading(self.path / file), open(self.path / file, "rb") as stream:
            yield stream


def open_torch(path: Path) -> Weights:
    """Opens a torch.save file, mapped if its tensors are stored uncompressed."""
    with reading(path):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                mappable = all(record.compress_type == zipfile.ZIP_STORED for record in archive.infolist())
            return MappedTorch(path) if mappable else LoadedTorch(path)
        return LoadedTorch(path)


OPENERS: Dict[str, Callable[[Path], Weights]] = {
    ".safetensors": Safetensors,
    ".bin": open_torch,
    ".pt": open_torch,
    ".pth": open_torch,
    ".ckpt": open_torch,
    ".npz": Npz,
}
"""How a weight file is opened, by its suffix; the preferred format first."""


def check_floating(path: Path, name: str, dtype: Union[torch.dtype, np.dtype]) -> None:
    """Raises UserError unless a tensor holds floating-point numbers."""
    if not (dtype.is_floating_point if isinstance(dtype, torch.dtype) else dtype.kind == "f"):
        raise UserError(f"{path}: {name} holds {dtype} numbers; expected floating-point ones, such as float32")


def load_torch(path: Path, *, mmap: bool) -> Tuple[Dict[str, Tensor], Dict[str, Any]]:
    """The named tensors of a torch.save file and, if it is a fairseq checkpoint, its model's options."""
    state = read_torch(path, mmap=mmap)
    tensors = named_tensors(state)
    if tensors is None:
        raise UserError(f"{path} holds something other than named tensors; expected the weights of a model")
    return tensors, fairseq_options(state)


def named_tensors(content: Any) -> Optional[Dict[str, Tensor]]:
    """The named tensors in a file, also inside CONTAINERS; None if there are none, or other things among them."""
    if not isinstance(content, dict):
        return None
    if all(isinstance(value, Tensor) for value in content.values()):
        return {str(name): tensor.detach() for name, tensor in content.items()}
    inner = (named_tensors(content.get(name)) for name in CONTAINERS)
    return next((tensors for tensors in inner if tensors is not None), None)


def fairseq_options(checkpoint: Mapping[str, Any]) -> Dict[str, Any]:
    """The model's options in a fairseq checkpoint: ``args`` up to fairseq 0.10, part of ``cfg`` since then."""
    options: Any = checkpoint.get("args") or (checkpoint.get("cfg") or {}).get("model")
    if isinstance(options, Namespace):
        return vars(options)
    if OmegaConf.is_dict(options):
        options = OmegaConf.to_container(options)
    return options if isinstance(options, dict) else {}


def array_header(stream: IO[bytes]) -> Tuple[Shape, bool, np.dtype]:
    """Reads the header of an array's file: its shape, whether it is in column-major order, and its type."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(stream)


def as_tensor(array: np.ndarray) -> Tensor:
    """A float32 tensor of an array of any floating-point type and byte order."""
    return torch.from_numpy(array.astype(np.float32))


def spans(shape: Shape) -> Iterator[RowSlice]:
    """Indices that split a tensor [n, …] into parts of at most PART numbers, or of one row.

    >>> list(spans((3, PART // 2)))
    [slice(0, 2, None), slice(2, 3, None)]
    """
    if not shape:
        yield ()
        return
    step = max(1, PART // max(1, math.prod(shape[1:])))
    yield from (slice(start, min(start + step, shape[0])) for start in range(0, shape[0], step))
