"""The wiring of one `answerback serve`."""
