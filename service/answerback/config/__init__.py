"""YAML <-> proto, problems, compiling to a core plan."""
