"""How one setting is declared: its default, its bounds, its meaning, as a field of the table.

May come in: another kind of value. Must not: which settings there are.
"""

from dataclasses import field
from typing import Any, Final

LEAST: Final = 0.001
"""What is neither none nor less than this: timers are no finer; one message in 1,000 s is hardly one."""


def setting(default: float, meaning: str, *, least: float, most: float, above_zero: float = LEAST) -> Any:
    """Return a number's field; a float that may be 0 may not be next to nothing: 0, or above_zero and more."""
    is_gapped = isinstance(default, float) and least == 0
    metadata = {"meaning": meaning, "least": least, "most": most, "above_zero": above_zero if is_gapped else None}
    return field(default=default, metadata=metadata)


def switch(meaning: str, *, default: bool) -> Any:
    """Return the field of what is on or off."""
    return field(default=default, metadata={"meaning": meaning, "least": False, "most": True, "above_zero": None})


def words(meaning: str, default: str | tuple[str, ...] = ()) -> Any:
    """Return the field of a word, or of some."""
    return field(default=default, metadata={"meaning": meaning, "least": None, "most": None, "above_zero": None})
