"""The history of the configuration, in memory or in SQLite."""
