"""Generated from proto/answerback/internal/v1 by `make proto`."""
