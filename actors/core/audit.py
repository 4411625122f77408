"""What a change was, for the history: each field with what it held before and after, secrets masked, bounded.

Pure. What is told here is kept with the event, so no secret may pass, and no value may make an event too large.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from castiron.store.records import AllocationRecord, NodeRecord
from castiron.transport.replies import MASK

MAX_CHANGES: Final = 64
"""Fields and keys that one event tells of; a person changes a few, a program may change all 256 of a map."""

MAX_VALUE_CHARACTERS: Final = 200
"""Of a value that is told; with MAX_CHANGES, an event has 40 kB at the most."""

DERIVED: Final = frozenset({"secret_keys", "bmc_address"})
"""Fields of the record that follow from others."""

_MAPS: Final = ("driver_info", "properties", "extra")
_ABSENT: Final = object()


def told_changes(record: NodeRecord | AllocationRecord, changes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what is changed, as field → {"from", "to"}; a key of a map is told as "driver_info.ipmi_address".

    A secret is told as MASK, so that it shows that it was changed, and what is too long or too much is cut and told so.

    Args:
        record: the node, or the allocation, before.
        changes: its fields that become other ones → their new values.
    """
    known = record.secret_keys if isinstance(record, NodeRecord) else frozenset[str]()
    secrets = known | frozenset(changes.get("secret_keys", ()))
    told: dict[str, dict[str, Any]] = {}
    left_out = 0
    for name, before, after, is_secret in _differences(record, changes, secrets):
        if len(told) < MAX_CHANGES:
            told[name] = {"from": told_value(before, is_secret=is_secret), "to": told_value(after, is_secret=is_secret)}
        else:
            left_out += 1
    return told | ({"…": {"from": None, "to": f"{left_out} more"}} if left_out else {})


def _differences(
    record: NodeRecord | AllocationRecord, changes: Mapping[str, Any], secrets: frozenset[str]
) -> Iterator[tuple[str, Any, Any, bool]]:
    for field in sorted(changes.keys() - DERIVED):
        before, after = getattr(record, field), changes[field]
        if field not in _MAPS:
            yield field, before, after, False
            continue
        for key in sorted(before.keys() | after.keys()):
            old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
            if old != new:
                yield f"{field}.{key}", old, new, field == "driver_info" and key in secrets


def told_value(value: Any, *, is_secret: bool) -> Any:
    """Return a value as it is told; what was not there is None."""
    if value is _ABSENT or value is None:
        return None
    if is_secret:
        return MASK
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    if len(text) > MAX_VALUE_CHARACTERS:
        return f"{text[:MAX_VALUE_CHARACTERS]}… ({len(text)} characters)"
    return value
