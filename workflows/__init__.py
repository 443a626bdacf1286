"""What an analyst runs: one module a verb, and each verb as a function of the same name.

`from workflows import map_flood, compare, open_map` imports what a verb needs when it is asked for, so that
`import workflows` stays fast.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workflows.check import check as check
    from workflows.compare import compare as compare
    from workflows.demo import demo as demo
    from workflows.evaluate import evaluate as evaluate
    from workflows.export import export as export
    from workflows.map import map_flood as map_flood
    from workflows.open_map import open_map as open_map
    from workflows.plan import plan as plan
    from workflows.report import report as report
    from workflows.review import review_apply as review_apply
    from workflows.review import review_export as review_export
    from workflows.simulate import simulate as simulate
    from workflows.stress import stress as stress
    from workflows.train import train as train
    from workflows.view import view as view
    from workflows.watch import watch as watch
    from workflows.zones import zones as zones

VERBS = (
    "check",
    "compare",
    "demo",
    "evaluate",
    "export",
    "map_flood",
    "open_map",
    "plan",
    "report",
    "review_apply",
    "review_export",
    "simulate",
    "stress",
    "train",
    "view",
    "watch",
    "zones",
)
MODULES = {"map_flood": "map", "review_apply": "review", "review_export": "review"}
"""Of verbs whose module is called otherwise."""


class _Package(ModuleType):
    """This package: a verb's name is its function, also after the module of the same name was imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        # Importing workflows.plan would otherwise put the module where the function is asked for.
        if not (name in VERBS and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name not in VERBS:
            raise AttributeError(f"module 'workflows' has no attribute {name!r}; its verbs: {', '.join(VERBS)}")
        return getattr(import_module(f"workflows.{MODULES.get(name, name)}"), name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *VERBS})


sys.modules[__name__].__class__ = _Package
