"""Scripts for developers, each run as `python -m tools.NAME`."""
