"""Two tools for asyncio: one broadcasts that something changed, one runs operations one at a time."""
