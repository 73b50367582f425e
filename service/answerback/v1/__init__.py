"""The public API, generated from proto/answerback/v1 by `make proto`."""
