"""The rollout of a configuration: found, checked, distributed to the workers in two phases, counted."""
