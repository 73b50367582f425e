"""The kinds of fault: a file for each; `base` is what they share, with what is the same of every fault."""

from answerback.language.faults.base import FAULTS, FaultKind, check_fault, compile_fault, fault_key, lint_faults

__all__ = ["FAULTS", "FaultKind", "check_fault", "compile_fault", "fault_key", "lint_faults"]

FAULTS.load(__name__, __path__)
