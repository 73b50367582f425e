"""A configuration on its way to the workers: found, checked, decided in two phases, counted."""
