"""The HTTP server for metrics, probes and a status page: `site.serve(supervisor, address)`."""
