"""What came of a call."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a call."""

    status: int | None
    """None: there was no answer that HTTP knows."""
    reason: str
    """In words, for people; nothing that the receiver wrote."""
    retry_after_s: float | None = None
    """How long the receiver asks to be left alone."""
    is_away: bool = False
    """There was no connection: whatever else would be sent there would not arrive either."""
    is_unsent: bool = False
    """It was not made, for a reason of ours: it says nothing about whoever would have got it."""
