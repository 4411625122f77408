"""Nodes, for those who wait: see `transport.clients.nodes`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Unpack

from castiron.transport.clients.blocking.bulk import Bulk
from castiron.transport.clients.blocking.requests import Request
from castiron.transport.clients.blocking.running import Blocking, blocking, each
from castiron.transport.clients.bulk import BulkTerms, Told
from castiron.transport.clients.nodes import AsyncNodes
from castiron.transport.selection.conditions import Condition
from castiron.transport.verbs import MAX_RECORDED, AnyNodeRequest


class Nodes(Blocking[AsyncNodes]):
    """`client.nodes`. Any thread; every method blocks until the conductor has answered, none waits for a machine.

    A node is named by its name or its uuid. Every method may raise what the verb of its name lists in PROTOCOL.md, and
    ConductorLost or ReplyTimeout.
    """

    create = blocking(AsyncNodes.create)
    uuids = blocking(AsyncNodes.uuids)
    history = blocking(AsyncNodes.history)
    explain = blocking(AsyncNodes.explain)
    wait_for = blocking(AsyncNodes.wait_for)
    list = blocking(AsyncNodes.list)
    snapshot = blocking(AsyncNodes.snapshot)
    show = blocking(AsyncNodes.show)
    set = blocking(AsyncNodes.set)
    delete = blocking(AsyncNodes.delete)
    set_maintenance = blocking(AsyncNodes.set_maintenance)
    unset_maintenance = blocking(AsyncNodes.unset_maintenance)
    power = blocking(AsyncNodes.power, Request)
    boot_device = blocking(AsyncNodes.boot_device, Request)
    set_boot_device = blocking(AsyncNodes.set_boot_device, Request)

    def record(self, node: str, *, page_lines: int = MAX_RECORDED) -> Iterator[Mapping[str, Any]]:
        """Yield a node's record, secrets masked: a header, then events and requests with their traces, latest first."""
        return each(self.held.record(node, page_lines=page_lines))

    def bulk(
        self,
        request: AnyNodeRequest | Mapping[str, Any],
        nodes: str | Sequence[str] | None = None,
        *,
        where: Sequence[str | Condition] = (),
        key: str | None = None,
        timeout_s: float | None = None,
        told: Told | None = None,
        **terms: Unpack[BulkTerms],
    ) -> Bulk:
        """Ask for the same of many nodes in one message; iterate over what it returns for what became of each.

        Arguments and errors are those of AsyncNodes.bulk.
        """
        return Bulk(self.held.bulk(request, nodes, where=where, key=key, timeout_s=timeout_s, told=told, **terms))
