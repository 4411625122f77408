"""A request's whole life as it is told: what its owner noted, and what came of the calls that were owed for its end."""

from itertools import chain
from operator import attrgetter

from castiron.actors.core.state import NodeState
from castiron.actors.core.views import request_view, trace_steps
from castiron.actors.published.archive import Library
from castiron.store.records import RequestRecord
from castiron.transport.replies import TraceView


def trace_of_open(request: RequestRecord, state: NodeState | None) -> TraceView:
    """Return the life so far of a request that has not ended; of one that runs, its node knows most."""
    told = request if state is None else state.traced(request)
    return TraceView(request=request_view(request, state), entries=trace_steps(told.trace))


def trace_of_ended(request: RequestRecord, library: Library) -> TraceView:
    """Return the life of a request that has ended, and after it what came of its calls. Reads the store."""
    calls = library.callbacks_of(request.id) if request.callbacks else []
    told = sorted(chain(*(call.trace for call in calls)), key=attrgetter("at"))
    return TraceView(request=request_view(request), entries=trace_steps((*request.trace, *told)))
