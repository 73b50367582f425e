"""Programs to compare with; each is run by its path, prints ``READY <port>`` and serves until it is ended."""
