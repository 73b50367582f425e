"""Metrics, probes and a page over HTTP: `site.serve(supervisor, address)`."""
