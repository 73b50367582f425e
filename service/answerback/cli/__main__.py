"""`python -m answerback.cli`: the command, where nothing is installed."""

from answerback.cli import main

main(prog_name="answerback")
