"""How whoever asks is named in requests, events and logs: where from, and what they call themselves.

    ipc:uid=1000 (castiron-python/0.1.0)

The part before the parentheses is what the system says: their identity. The other is their own claim: it helps people,
and counts for nothing.
"""

from functools import lru_cache
from typing import Final

REMEMBERED: Final = 1024
"""Names that need not be put together, or taken apart, again: of the peers that ask most. A microsecond each, and some
200 bytes."""

MAX_NAME: Final = 64
"""Characters of a claim that are shown."""


@lru_cache(REMEMBERED)
def name_of(identity: str, claim: str) -> str:
    """Return how whoever asks is named."""
    shown = "".join(one for one in claim[:MAX_NAME] if one.isprintable() and one not in "()").strip()
    return f"{identity} ({shown})" if shown else identity


@lru_cache(REMEMBERED)
def identity_of(name: str) -> str:
    """Return the identity in a name that `name_of` made."""
    return name[: -len(name.rpartition(" (")[2]) - 2] if name.endswith(")") and " (" in name else name
