"""The operations of the admin API: drain, resume, rolling restart, shutdown, resetting counters."""
