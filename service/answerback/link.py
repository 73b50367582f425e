"""Framed messages between supervisor and worker."""
