"""How whoever asks is named in requests, events and logs: where from, and what they call themselves.

    ipc:uid=1000 (castiron-python/0.1.0)

The part before the parentheses is what the system says: their identity. The other is their own claim: it helps people,
and counts for nothing.
"""

from typing import Final

MAX_NAME: Final = 64
"""Characters of a claim that are shown."""


def name_of(identity: str, claim: str) -> str:
    """Return how whoever asks is named."""
    shown = "".join(one for one in claim[:MAX_NAME] if one.isprintable() and one not in "()").strip()
    return f"{identity} ({shown})" if shown else identity


def identity_of(name: str) -> str:
    """Return the identity in a name that `name_of` made."""
    return name[: -len(name.rpartition(" (")[2]) - 2] if name.endswith(")") and " (" in name else name
