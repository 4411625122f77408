"""Coroutines: what is written `async def`, carried out on one loop as what blocks is in threads. ADR 0032."""
