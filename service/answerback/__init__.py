"""Answerback: a TCP endpoint you control."""

__version__ = "0.1.0"
