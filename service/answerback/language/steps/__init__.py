"""The kinds of step: a file for each; `base` is what they share."""

from answerback.language.steps.base import STEPS, StepKind, check_script, check_state_name, compile_script

__all__ = ["STEPS", "StepKind", "check_script", "check_state_name", "compile_script"]

STEPS.load(__name__, __path__)
