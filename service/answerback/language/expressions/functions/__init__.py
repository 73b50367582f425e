"""The functions of expressions: a module for each family, beside its runtime in `core`; `base` is what they share."""

from importlib import import_module
from pkgutil import iter_modules

from answerback.language.expressions.functions.base import FUNCTIONS, Function, Parameter

__all__ = ["FUNCTIONS", "Function", "Parameter"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
