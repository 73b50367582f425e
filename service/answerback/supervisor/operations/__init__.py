"""What an operator asks for: drain, resume, rolling restart, shutdown, resetting counters."""
