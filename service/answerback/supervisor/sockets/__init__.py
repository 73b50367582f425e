"""The listening sockets, which outlive the workers: bound, opened, closed, stalled."""
