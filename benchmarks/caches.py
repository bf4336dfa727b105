"""Memory of our beam search by what it is for: keys and values of sources, and of targets."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from .ours import Sample, System


class CacheSizes(NamedTuple):
    """MB at the step that keeps most."""

    source: float
    target: float


def cache_sizes(system: System, sample: Sample, *, beam: int, length: int) -> CacheSizes:
    """Searches once and looks, at every step, at what fairseq carries from step to step."""
    system.model.eval()
    generator = system.generator(beam, length)
    step, seen = generator.model.forward_decoder, []

    def watched(tokens: Tensor, sources: Any, targets: Any, temperature: float = 1.0) -> Any:
        found = step(tokens, sources, targets, temperature)
        seen.append(CacheSizes(megabytes(sources), megabytes(targets)))
        return found

    generator.model.forward_decoder = watched
    system.task.inference_step(generator, [system.model], sample)
    return CacheSizes(*map(max, zip(*seen)))


def megabytes(kept: Any) -> float:
    """Of all tensors somewhere in an object; memory that several of them share counts once."""
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors_in(kept)}
    return sum(storages.values()) / 2**20


def tensors_in(kept: Any) -> Iterator[Tensor]:
    """The tensors in lists, tuples, mappings and attributes."""
    if isinstance(kept, Tensor):
        yield kept
    elif isinstance(kept, Mapping):
        yield from tensors_in(list(kept.values()))
    elif isinstance(kept, (list, tuple)):
        for part in kept:
            yield from tensors_in(part)
    elif hasattr(kept, "__dict__"):
        yield from tensors_in(vars(kept))
