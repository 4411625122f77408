"""Which calls are owed once requests have ended, and what they tell.

One for each URL that a request was to call; committed together with the end. Pure. May come in: what is told. Must not:
when and how it is sent, which is `actors.webhooks`' matter.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from castiron.store.records import CallbackRecord, NodeRecord, RequestRecord
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, DeliveryID


def callbacks_of(requests: Iterable[RequestRecord], node: NodeRecord) -> tuple[CallbackRecord, ...]:
    """Return the calls that are owed for those of the requests that have ended.

    Args:
        requests: as they are committed; each is committed as ended once.
        node: as it is committed with them.
    """
    return tuple(
        CallbackRecord(
            # Nothing is drawn for it, and so nothing can differ if the same end is decided again.
            id=DeliveryID(f"{request.id}.{number}"),
            request_id=request.id,
            url=url,
            owed_since=request.ended_at,
            body=_body(request, node),
        )
        for request in requests
        if request.state in FINAL_REQUEST_STATES and request.ended_at is not None
        for number, url in enumerate(request.callbacks, start=1)
    )


def with_callback(request: RequestRecord, url: str | None) -> tuple[str, ...]:
    """Return what a request calls at its end once somebody else has asked for it, too."""
    return request.callbacks if url is None or url in request.callbacks else (*request.callbacks, url)


def _body(request: RequestRecord, node: NodeRecord) -> Mapping[str, Any]:
    return {
        "request": request.id,
        "node": node.name,
        "node_uuid": node.uuid,
        "verb": request.verb,
        "state": request.state.value,
        "requester": request.requester,
        "accepted_at": request.accepted_at,
        "ended_at": request.ended_at,
        "result": None if request.result is None else dict(request.result),
        "error": None if request.error is None else dict(request.error),
        "power_state": node.power_state,
        "target_power_state": node.target_power_state,
    }
