"""How large everything is that the table of targets is measured on: as the targets say, or small, to try it out."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One run's sizes; seconds are of one repeat."""

    nodes: int = 10_000
    fake_nodes: int = 100_000
    spread_s: float = 10.0
    """That logins are spread over at a start: the setting's default."""
    settling_s: float = 4.0
    """From the last login until figures are taken."""
    window_s: float = 12.0
    """That checks every 6 s are watched."""
    asking_s: float = 5.0
    """That the conductor is asked meanwhile, after that."""
    fake_window_s: float = 20.0
    fake_interval_s: float = 60.0
    seconds: float = 2.0
    """For each rate of the API."""
    documented_s: float = 10.0
    asked: int = 300
    """Nodes that are powered on one after the other."""
    tasks: int = 1_000
    spacing_s: float = 10.0
    spells: int = 2
    """Spacings that periodic tasks are watched for."""
    futurist_s: float = 140.0
    """That Futurist is watched: for its median to be as late as it becomes."""


FULL: Final = Size()
QUICK: Final = Size(
    nodes=1_000,
    fake_nodes=10_000,
    window_s=6.0,
    asking_s=3.0,
    fake_window_s=6.0,
    fake_interval_s=10.0,
    seconds=1.0,
    documented_s=4.0,
    asked=100,
    spacing_s=3.0,
    futurist_s=12.0,
)
