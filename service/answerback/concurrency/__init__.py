"""Tools for asyncio: a broadcast, operations one at a time, turns of tasks, and tasks that outlive their callers."""
