"""The one door to segmentation-models-pytorch: imported late (seconds) and beside a CPU torch too."""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType

import torch

_LOCK = threading.Lock()
_SCHEMAS: list[torch.library.Library] = []
"""Kept for the life of the process: the schemas vanish with the object that defined them."""

_OPERATORS = ("nms", "qnms")
_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_HALF_IMPORTED = ("torchvision", "timm", "segmentation_models_pytorch")


def segmentation_models() -> ModuleType:
    """Return the module `segmentation_models_pytorch`.

    Beside a CPU torch, the torchvision of PyPI is linked against CUDA: its C++ operators do not load and its
    Python part then fails with "operator torchvision::nms does not exist". After that failure only, the two
    schemas that it registers kernels for are declared and the import is tried again; no network calls them.

    Raises:
        ImportError: the library is not installed.
        RuntimeError: the import fails for another reason than the missing operators.
    """
    with _LOCK:
        try:
            return _import()
        except RuntimeError as error:
            if "torchvision::" not in str(error) or _SCHEMAS:
                raise
        _forget()
        _declare()
        return _import()


def _import() -> ModuleType:
    return importlib.import_module("segmentation_models_pytorch")


def _forget() -> None:
    """Drop what the failed import left half done."""
    for name in [name for name in sys.modules if name.partition(".")[0] in _HALF_IMPORTED]:
        del sys.modules[name]


def _declare() -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for operator in _OPERATORS:
        library.define(operator + _SIGNATURE)  # type: ignore[no-untyped-call]
    _SCHEMAS.append(library)
