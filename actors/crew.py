"""The actors of a conductor: all started from what is on disk, and ended together.

May come in: another kind of actor that lives as long as the conductor. Must not: threads, sockets.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from pykka import Timeout

from castiron.actors.allocations.seating import seat_keeper
from castiron.actors.fleet import seat_fleet
from castiron.actors.parts import Parts
from castiron.actors.sensors.rulefile import read_rules
from castiron.actors.sensors.sensing import Sensing
from castiron.actors.services import Services
from castiron.actors.supervision.kin import Kin
from castiron.actors.supervision.nursery import Nursery, state_from_store
from castiron.actors.supervision.supervisor import SupervisorActor, Tally
from castiron.store.records import RequestRecord
from castiron.store.store import Store
from castiron.transport.vocabulary import NodeUUID


def start_actors(
    services: Services, kin: Kin, tally: Tally, store: Store, *, parts: Parts, fail: Callable[[str], None]
) -> None:
    """Start the supervisor, an actor for each node in the store with what was under way, the fleet's, and the keeper.

    Args:
        parts: where their ends are noted.
        fail: called if the conductor cannot go on.

    Raises:
        SettingInvalid: the file with the alarm rules cannot be used; nothing has been started.
        GivenUp: the start was given up meanwhile.
    """
    Sensing(services, read_rules(services.settings.alarm_rules_file)).enrol()
    nursery = Nursery(services, kin)
    parts.add("nodes", partial(_stop_nodes, services))
    parts.add("fleet", kin.fleet.close)
    parts.add("keeper of allocations", kin.keeper.close)
    parts.add("supervisor", kin.supervisor.close)
    kin.supervisor.take(SupervisorActor.start(services, kin, nursery, tally, fail))
    open_requests: dict[NodeUUID, list[RequestRecord]] = {}
    for request in store.open_requests():
        open_requests.setdefault(request.node_uuid, []).append(request)
    for record in store.nodes():
        state = state_from_store(record, open_requests.get(record.uuid, []), services.settings.node_queue_limit)
        nursery.raise_node(state, services.board.seq)
    seat_fleet(services, nursery, kin.fleet, tally, fail)
    seat_keeper(services, kin.keeper, tally, fail, store.allocations())
    parts.go_on()


def _stop_nodes(services: Services, timeout_s: float) -> None:
    """End the nodes' actors, whom nobody replaces any more. Blocks up to timeout_s seconds."""
    until = services.clock.now() + timeout_s
    stopping = [owner.ref.stop(block=False) for _, owner in services.directory.owners() if owner.ref is not None]
    for stopped in stopping:
        with suppress(Timeout):
            stopped.get(timeout=max(0.0, until - services.clock.now()))
