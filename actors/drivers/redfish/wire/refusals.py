"""What a BMC's refusal means: from HTTP's status and Redfish's message ids to our errors. Pure.

Only the ids of a BMC's messages are repeated: their texts may hold what was sent, passwords included (DSP0266, 8.6).
"""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from castiron.actors.drivers.redfish.wire.line import Answer
from castiron.transport.errors import BMCBusy, BMCCredentials, BMCError, BMCFault, BMCUnsupported

MAX_RETRY_AFTER_S: Final = 3600
"""The longest wait that a BMC is believed to mean."""

MAX_IDS: Final = 4
"""Message ids that an error names."""

_ID: Final = re.compile(r"[A-Za-z0-9]{1,64}")

UNSUPPORTED: Final = frozenset(
    {
        "ActionNotSupported",
        "ActionParameterNotSupported",
        "ActionParameterValueNotInList",
        "PropertyNotWritable",
        "PropertyUnknown",
        "PropertyValueNotInList",
        "QueryNotSupported",
        "ResourceMissingAtURI",
    }
)
"""Message ids of the Base registry (DSP0268) for what a BMC does not have."""

BUSY: Final = frozenset(
    {
        "ResourceInUse",
        "ServiceInUnknownState",
        "ServiceShuttingDown",
        "ServiceTemporarilyUnavailable",
        "SessionLimitExceeded",
    }
)
"""The same, for what passes."""

DENIED: Final = frozenset({"AccessDenied", "InsufficientPrivilege", "NoValidSession", "ResourceAtUriUnauthorized"})
"""The same, for who may not."""

STATUSES: Final[Mapping[int, type[BMCError]]] = {
    HTTPStatus.UNAUTHORIZED: BMCCredentials,
    HTTPStatus.FORBIDDEN: BMCCredentials,
    HTTPStatus.NOT_FOUND: BMCUnsupported,
    HTTPStatus.METHOD_NOT_ALLOWED: BMCUnsupported,
    HTTPStatus.GONE: BMCUnsupported,
    HTTPStatus.NOT_IMPLEMENTED: BMCUnsupported,
    HTTPStatus.CONFLICT: BMCBusy,
    HTTPStatus.PRECONDITION_FAILED: BMCBusy,
    HTTPStatus.LOCKED: BMCBusy,
    HTTPStatus.TOO_MANY_REQUESTS: BMCBusy,
    HTTPStatus.SERVICE_UNAVAILABLE: BMCBusy,
}
"""What a status says where no message id says more. Any other: BMCFault."""

IN_DOUBT: Final = frozenset({HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
"""After these nobody knows whether something was done: the BMC failed on its way."""


def error_of(answer: Answer, asked: str, where: Mapping[str, Any]) -> BMCError:
    """Return the error that an answer is.

    Args:
        answer: with a status that is no success.
        asked: the request, such as "GET /redfish/v1/Systems/1".
        where: details of the error: node, address.
    """
    ids = message_ids(answer.body)
    kind = _kind(answer.status, ids)
    told = f" ({', '.join(ids)})" if ids else ""
    details = {**where, "http_status": answer.status, **({"message_ids": list(ids)} if ids else {})}
    wait_s = retry_after_s(answer)
    return kind(_message(kind, answer.status, asked, told), details=details, retry_after_s=wait_s)


def message_ids(body: bytes) -> tuple[str, ...]:
    """Return the names of the first messages of an error's or a task's body, such as "ActionNotSupported"."""
    try:
        found = json.loads(body)
        error = {"@Message.ExtendedInfo": found["Messages"]} if "Messages" in found else found["error"]
        told = [each["MessageId"] for each in error.get("@Message.ExtendedInfo") or [{"MessageId": error["code"]}]]
        names = [str(each).rpartition(".")[2] for each in told]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ()
    return tuple(dict.fromkeys(name for name in names if _ID.fullmatch(name)))[:MAX_IDS]


def retry_after_s(answer: Answer) -> float | None:
    """Return the seconds after which a BMC wants to be asked again; None if it says none, or a date."""
    told = answer.headers.get("retry-after", "").strip()
    return float(min(int(told), MAX_RETRY_AFTER_S)) if told.isascii() and told.isdigit() and len(told) < 10 else None  # noqa: PLR2004 - no longer than any wait


def _kind(status: int, ids: tuple[str, ...]) -> type[BMCError]:
    for kind, names in ((BMCBusy, BUSY), (BMCCredentials, DENIED), (BMCUnsupported, UNSUPPORTED)):
        if names.intersection(ids):
            return kind
    return STATUSES.get(status, BMCFault)


def _message(kind: type[BMCError], status: int, asked: str, told: str) -> str:
    if kind is BMCCredentials and status == HTTPStatus.UNAUTHORIZED:
        return f"The BMC refused the user name or the password{told}. Set redfish_username and redfish_password."
    if kind is BMCCredentials:
        return f"The BMC's user may not do that{told}: {asked}. It needs the role Operator or Administrator."
    if "SessionLimitExceeded" in told:
        return "The BMC has no session left (SessionLimitExceeded). Others hold them; close some, or wait."
    if kind is BMCBusy:
        return f"The BMC is busy{told}: it answered {status} to {asked}."
    if kind is BMCUnsupported:
        return f"The BMC does not have that{told}: it answered {status} to {asked}."
    return f"The BMC failed{told}: it answered {status} to {asked}."
