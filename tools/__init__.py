"""Small scripts of the workshop, each run as `python -m tools.NAME`."""
