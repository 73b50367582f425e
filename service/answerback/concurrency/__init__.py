"""Tools for asyncio: a broadcast, operations one at a time, and tasks that outlive their callers."""
