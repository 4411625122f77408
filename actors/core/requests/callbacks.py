"""Which calls are owed once requests have ended, and what they tell.

One for each URL that a request was to call; committed together with the end. Pure. May come in: what is told. Must not:
when and how it is sent, which is `actors.webhooks`' matter.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from castiron.store.records import CallbackRecord, NodeRecord, RequestRecord
from castiron.transport.vocabulary import FINAL_REQUEST_STATES, DeliveryID

Callbacks = Mapping[str, tuple[str, ...]]
"""URLs that are to be called, each with the identities that want it."""


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


def with_callback(callbacks: Callbacks, url: str | None, who: str) -> Callbacks:
    """Return what a request calls at its end once somebody has asked for it, too.

    Args:
        url: what that identity wants to be called; None: nothing.
        who: the identity.
    """
    if url is None:
        return callbacks
    wanted = callbacks.get(url, ())
    return {**callbacks, url: wanted if who in wanted else (*wanted, who)}


def without_callbacks(callbacks: Callbacks, who: str) -> Callbacks:
    """Return what a request calls at its end once an identity does not want it any more: what others want called."""
    left = {url: tuple(one for one in wanted if one != who) for url, wanted in callbacks.items()}
    return {url: wanted for url, wanted in left.items() if wanted}


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
