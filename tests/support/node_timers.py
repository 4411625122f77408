"""Which timers a node's state knows of: any other one was forgotten."""

from castiron.actors.core.state import NodeState, Ticket


def timers_of(state: NodeState) -> set[Ticket | None]:
    """Return the tickets of all timers that a state waits for, or may wait for."""
    active, live = state.active, set[Ticket | None]()
    if active is not None:
        live = {active.limit, active.wake, active.turn}
        live.update(timer for lane in active.lanes for timer in (lane.limit, lane.wake))
    if state.expiry is not None:
        live.add(state.expiry.ticket)
    if state.check.is_begun:
        live.add(state.check.timer)
    return live
