"""How a call is signed, so that a receiver knows who made it, and when: the scheme of Standard Webhooks.

    webhook-id         the delivery's id, the same in each attempt
    webhook-timestamp  seconds since 1970-01-01 UTC, of this attempt
    webhook-signature  "v1," and HMAC-SHA256 of "ID.TIMESTAMP.BODY" in base64; one for each secret, between spaces

Libraries that check it exist for a dozen languages (standardwebhooks.com). The time stamp is signed, so a call that was
recorded cannot be replayed later; GitHub's X-Hub-Signature-256 has none, and Stripe's `t=…,v1=…` carries the same in
its own spelling. Bytes only; where secrets are kept is not known here.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Self

MARK: Final = "whsec_"
"""Begins a secret in writing, so that scanners for leaked secrets find it."""

MIN_SECRET_BYTES: Final = 24
MAX_SECRET_BYTES: Final = 64
"""Standard Webhooks' bounds; beyond 64 bytes HMAC-SHA256 would hash the secret first."""


@dataclass(frozen=True, slots=True)
class Secret:
    """What sender and receiver share. Never shown."""

    octets: bytes = field(repr=False)

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the secret that was written as whsec_ and base64.

        Raises:
            ValueError: it is not one. The message does not hold it.
        """
        try:
            octets = b64decode(text.removeprefix(MARK), validate=True)
        except ValueError:
            octets = b""
        if not text.startswith(MARK) or not MIN_SECRET_BYTES <= len(octets) <= MAX_SECRET_BYTES:
            raise ValueError(f"a secret is {MARK} and {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes in base64")
        return cls(octets)


def signed(secrets: Sequence[Secret], delivery: str, at_s: int, body: bytes) -> Mapping[str, str]:
    """Return the headers that sign a body.

    Args:
        secrets: each signs; more than one while receivers change over to a new one.
        delivery: the delivery's id; no full stop decides where it ends, because nothing before the body is secret.
        at_s: now, in whole seconds since 1970-01-01 UTC.
    """
    content = f"{delivery}.{at_s}.".encode() + body
    signatures = (b64encode(hmac.digest(secret.octets, content, sha256)).decode() for secret in secrets)
    return {
        "webhook-id": delivery,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
