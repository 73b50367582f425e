"""Answerback: a programmable TCP server for tests and infrastructure."""

__version__ = "0.1.0"
