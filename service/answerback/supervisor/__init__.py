"""Workers, restarts, sockets, revisions."""
