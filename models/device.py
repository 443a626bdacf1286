"""Which processor a network runs on."""

from __future__ import annotations

import torch

CHOICES = ("auto", "cpu", "cuda")


def choose_device(name: str) -> torch.device:
    """Turn `--device` into a torch device: "auto" is CUDA where there is one, else the CPU.

    Raises:
        ValueError: the name is none of `CHOICES`.
        RuntimeError: "cuda" is asked for and this torch sees no CUDA device.
    """
    if name not in CHOICES:
        raise ValueError(f"Unknown device {name!r}; choose one of {', '.join(CHOICES)}.")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise RuntimeError(
            f"Device 'cuda' was asked for, but torch {torch.__version__} sees no CUDA device. "
            "Use --device cpu or auto, or install a CUDA build of torch on a machine with an NVIDIA driver."
        )
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the processor multiplies in bfloat16 itself; where it is only emulated, float32 is faster."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(known.get("amx_bf16") or known.get("avx512_bf16"))
