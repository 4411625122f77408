"""What several verbs carry: names, limits, and the shapes of arguments.

Each with the reason for its bound. May come in: an argument of two verbs. Must not: one of a single verb.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from msgspec import Meta

NAME_PATTERN: Final = r"^[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?\Z"
"""Letters, digits, dot, dash, underscore: host names, and nothing that a host range uses for itself. It ends in \\Z, as
$ would let a line feed pass."""

PRINTABLE: Final = r"^[!-~]+\Z"
URL_PATTERN: Final = r"^https?://[!-~]+\Z"
TYPE_PATTERN: Final = r"^[a-z_.*]+\Z"

FORMS: Final[Mapping[str, str]] = {
    NAME_PATTERN: "of letters, digits, and `.` `-` `_` between them, as node-01.rack-2",
    PRINTABLE: "of printable ASCII, without spaces",
    URL_PATTERN: "that begin with http:// or https://, of printable ASCII, without spaces",
    TYPE_PATTERN: "of small letters, and `_` `.` `*`",
}
"""What a pattern means, for people: programs have the patterns."""

MAX_TIMEOUT_S: Final = 86_400.0
"""A day: longer than any machine takes, short enough that a slip of the keyboard does not last for ever."""

LEAST_INTERVAL_S: Final = 0.1
"""Between two checks of one machine, unless there are none: no BMC is to be asked as often as it can answer."""

MAX_MOMENT: Final = 253_402_300_799.0
"""The end of the year 9999: what dates can be written for."""

MAX_LIST: Final = 1000
"""Entries in one answer, as Ironic's max_limit."""

MAX_RECORDED: Final = 200
"""Lines of one page of a node's record: a request with its trace takes 10 KiB, and a reply is bounded."""

MAX_SEQ: Final = 2**63 - 1
"""What a store can count to."""

MAX_TYPES: Final = 64
"""Types, or patterns of them, in one question: more than there are types."""

NewName = Annotated[str, Meta(pattern=NAME_PATTERN, max_length=255, description="name; letters, digits, and . - _")]
NodeArgument = Annotated[str, Meta(min_length=1, max_length=255, description="name or uuid of a node")]
RequestArgument = Annotated[str, Meta(min_length=1, max_length=64, description="id of a request")]
TimeoutS = Annotated[float, Meta(gt=0, le=MAX_TIMEOUT_S, description="seconds")]
Key = Annotated[str, Meta(pattern=PRINTABLE, min_length=8, max_length=128)]
BulkKey = Annotated[str, Meta(pattern=PRINTABLE, min_length=8, max_length=91)]
"""As long as leaves room for a slash and a node's uuid: with these it is the key of that node's request."""
CallbackURL = Annotated[str, Meta(pattern=URL_PATTERN, max_length=2048)]
"""2,048: what proxies and receivers take for certain (RFC 9110, 4.1 asks for 8,000 octets; many stop before)."""
MomentAt = Annotated[float, Meta(ge=0, le=MAX_MOMENT, description="seconds since 1970-01-01 UTC")]
IntervalS = Annotated[float, Meta(ge=0, le=MAX_TIMEOUT_S, description="seconds, 0.1 or more; 0: none")]
TypePattern = Annotated[str, Meta(pattern=TYPE_PATTERN, max_length=64)]
DryRun = Annotated[bool, Meta(description="say what would happen, and change nothing")]
Limit = Annotated[int, Meta(ge=1, le=MAX_LIST, description="entries at the most")]
DriverName = Annotated[str, Meta(min_length=1, max_length=64, description="how the BMC is spoken to: ipmi, fake")]
AttributeKey = Annotated[str, Meta(min_length=1, max_length=255)]
DriverInfo = Annotated[
    dict[AttributeKey, str | int | float | bool | None],
    Meta(max_length=64, description="what the driver needs, in Ironic's names: ipmi_address, ipmi_username, …"),
]
MAX_TRAITS: Final = 50
"""As many as Ironic lets a node have."""

Reason = Annotated[str, Meta(min_length=1, max_length=255, description="why")]
ResourceClass = Annotated[
    str, Meta(min_length=1, max_length=80, description="what kind of machine it is, to be chosen by")
]
TRAIT_PATTERN: Final = r"^(COMPUTE|CUSTOM|HW|MISC|OWNER|STORAGE)_[A-Z0-9_]+\Z"
Trait = Annotated[str, Meta(pattern=TRAIT_PATTERN, max_length=255)]
"""One of the standard's words, which begin with these but CUSTOM, or a word of one's own: CUSTOM_…"""

Traits = Annotated[
    list[Trait],
    Meta(max_length=MAX_TRAITS, description="what the machine has or can: the standard's words, and CUSTOM_…"),
]
Attributes = Annotated[dict[AttributeKey, Any], Meta(max_length=256, description="free; values as JSON has them")]
