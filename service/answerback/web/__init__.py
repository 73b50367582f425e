"""Metrics, probes and pages over HTTP: GET only."""
