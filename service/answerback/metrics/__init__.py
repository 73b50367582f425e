"""The tally, the families and the exposition."""
