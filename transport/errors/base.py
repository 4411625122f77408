"""What every failure carries, and how it looks on the wire.

May come in: a field of all failures. Must not: a failure.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Self, TypeVar, cast

from castiron.transport.vocabulary import Applied, Retry, Source

_Word = TypeVar("_Word", bound=StrEnum)


class CastironError(Exception):
    """Base of everything that castiron raises to its callers.

    Attributes:
        code: the stable, dotted word on the wire.
        retry: whether the same request may succeed later.
        source: where to look for the cause.
        message: one or two sentences for people; the second says what to do.
        details: small map whose keys each class names; values are what msgpack can carry.
        retry_after_s: seconds to wait before a retry; set whenever retry is "after".
        applied: whether what failed reached the machine; None where nothing could.
        error_id: finds the line in the conductor's log; set by the conductor when it sends the failure.
    """

    code: ClassVar[str] = "error"
    retry: Retry = Retry.NEVER
    source: Source = Source.CONDUCTOR

    def __init__(
        self,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        retry_after_s: float | None = None,
        applied: Applied | None = None,
        error_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        self.retry_after_s = retry_after_s
        self.applied = applied
        self.error_id = error_id

    def to_wire(self) -> dict[str, Any]:
        """Return the failure as the map that the wire carries: {code, retry, source, message, details, …}."""
        body: dict[str, Any] = {
            "code": self.code,
            "retry": self.retry.value,
            "source": self.source.value,
            "message": self.message,
            "details": dict(self.details),
        }
        if self.retry_after_s is not None:
            body["retry_after_s"] = self.retry_after_s
        if self.applied is not None:
            body["applied"] = self.applied.value
        if self.error_id is not None:
            body["error_id"] = self.error_id
        return body

    @classmethod
    def _rebuild(cls, body: Mapping[str, Any]) -> Self:
        details = body.get("details")
        retry_after_s = body.get("retry_after_s")
        error_id = body.get("error_id")
        return cls(
            str(body.get("message", "")),
            details=cast("Mapping[str, Any]", details) if isinstance(details, Mapping) else None,
            retry_after_s=float(retry_after_s) if isinstance(retry_after_s, int | float) else None,
            applied=word(Applied, body.get("applied")),
            error_id=error_id if isinstance(error_id, str) else None,
        )


def word(words: type[_Word], value: object) -> _Word | None:
    """Return the word that a value spells, None if it spells none."""
    return words(value) if isinstance(value, str) and value in set(words) else None
