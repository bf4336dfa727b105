"""Names the machine: its processor, its accelerator and the versions, no path and no host."""

import os
import platform
from importlib import metadata
from pathlib import Path

import torch

PACKAGES = ("torch", "transformers", "fairseq", "s2sft_fairseq")
PRECISIONS = {"avx512_vnni": "int8", "amx_int8": "int8 (AMX)", "avx512_bf16": "bf16", "amx_bf16": "bf16 (AMX)"}


def describe(threads: int) -> dict[str, str]:
    """What a reader needs to compare figures with their own."""
    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "fast precisions of the processor": ", ".join(precisions()) or "none known",
        "threads": str(threads),
        "load average at the start": load(),
        "accelerator": accelerator,
        "Python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def load() -> str:
    """Processes that want to run: what stands above our own is a busy machine."""
    return f"{os.getloadavg()[0]:.1f}"


def processor() -> str:
    """The model of the CPU."""
    return cpu_fact("model name") or platform.processor() or platform.machine()


def precisions() -> list[str]:
    """Number formats with instructions of their own."""
    flags = cpu_fact("flags").split()
    return [name for flag, name in PRECISIONS.items() if flag in flags]


def cpu_fact(key: str) -> str:
    """A line of Linux's description of the first core, or nothing."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")


def version(package: str) -> str:
    """The installed version of a package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
