"""Drivers that are written as methods, one for each operation, each `def` or `async def`. ADR 0032."""

from castiron.actors.drivers.methods.asked import Asked, Over
from castiron.actors.drivers.methods.driver import MethodDriver

__all__ = ["Asked", "MethodDriver", "Over"]
