"""What all verbs have in common, and what they are on the wire."""

from typing import Any, ClassVar, Final

from msgspec import Struct, to_builtins

from castiron.transport.errors import CastironError
from castiron.transport.vocabulary import Role

TERMS: Final = (
    "replies",
    "key",
    "policy",
    "hold",
    "fresh",
    "again",
    "deadline_at",
    "on_restart",
    "callback_url",
    "dry_run",
)
"""Fields of a request's verb that say how it is to be treated, not what is to be done."""

_NO_ARGUMENTS: Final = frozenset({"verb", *TERMS})


class Verb(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="verb"):
    """What all verbs have in common.

    Attributes:
        becomes_request: it is stored, has an id and a life; otherwise it is answered at once.
        makes_work: it changes something or reaches a BMC; refused while the conductor drains.
        idempotent: sending it twice has the effect of sending it once.
        refusals: errors that it may be answered with, beside those of any message (COMMON_ERRORS).
        role: the least that a key must have to ask this; each verb names its own, and one that does not is for admins.
        version: of the protocol, that brought it.
    """

    becomes_request: ClassVar[bool] = False
    makes_work: ClassVar[bool] = False
    idempotent: ClassVar[bool] = True
    refusals: ClassVar[tuple[type[CastironError], ...]] = ()
    role: ClassVar[Role] = Role.ADMIN
    version: ClassVar[str] = "1.0"

    def needs(self) -> Role:
        """Return the least role for this message: the verb's, unless what it says takes more."""
        return self.role


def tag_of(verb: Verb | type[Verb]) -> str:
    """Return the verb's word on the wire, as "node.power.set"."""
    return str(verb.__struct_config__.tag)


def to_map(verb: Verb) -> dict[str, Any]:
    """Return the verb as the map that the wire carries, its word under "verb", unset fields left out."""
    # Binary data stays what it is, so that it is refused by name, and not silently turned into base64 text.
    body: dict[str, Any] = to_builtins(verb, builtin_types=(bytes, bytearray, memoryview))
    return body


def arguments_of(verb: Verb) -> dict[str, Any]:
    """Return what is to be done, as a stored request keeps it: the map of the wire without "verb" and the terms."""
    return {name: value for name, value in to_map(verb).items() if name not in _NO_ARGUMENTS}
