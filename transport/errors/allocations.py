"""What stands in the way of allocations: of having a node, and of giving it back."""

from castiron.transport.errors.asked import ConflictError, RequestError
from castiron.transport.vocabulary import Retry


class AllocationNotFound(RequestError):
    """No allocation has that name or uuid. details: allocation."""

    code = "allocation.not_found"


class AllocationExists(RequestError):
    """Another allocation has that name or uuid. details: name, uuid."""

    code = "allocation.exists"


class AllocationNotYours(ConflictError):
    """The allocation is somebody else's; `force` overrides. details: allocation, owner."""

    code = "allocation.not_yours"
    retry = Retry.NEVER


class AllocationFailed(ConflictError):
    """No node could be had. details: allocation, resource_class, matched, hindered, which count nodes; deadline_at.

    `matched` counts those that have the class, of these the ones that are candidates, and of these those that have the
    traits; `hindered` says of the last why they could not be had.
    """

    code = "allocation.failed"


class NodeAllocated(ConflictError):
    """The node is held by an allocation. details: node, allocation."""

    code = "node.allocated"
