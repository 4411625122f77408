"""Where an allocation stands."""

from enum import StrEnum


class AllocationState(StrEnum):
    """Where an allocation stands, in Ironic's words."""

    ALLOCATING = "allocating"
    """A node is being looked for, or waited for."""
    ACTIVE = "active"
    """It has a node."""
    ERROR = "error"
    """No node could be had; its error says why."""
