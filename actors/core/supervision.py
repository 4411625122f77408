"""What becomes of an actor that failed: started again after a while, or put aside.

One for one: nobody else is touched. The wait doubles with each failure within the period, so a storm is bounded; more
failures than the intensity allows put the child aside, for a program fault does not mend itself. The fleet's actor
cannot be put aside: it is started again at once, and beyond the intensity after a growing wait.

Words and rule: Erlang/OTP's supervisors (intensity, period), with a growing wait between restarts.
"""

from dataclasses import dataclass
from typing import Final

from castiron.transport.vocabulary import Instant

LEAST_PAUSE_S: Final = 0.01
"""Whatever the settings say: what fails again and again must not keep a core busy with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How patient a supervisor is."""

    intensity: int
    """Failures within the period that are answered with a restart."""
    period_s: float
    delay_initial_s: float
    delay_max_s: float


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again after this many seconds."""

    after_s: float


@dataclass(frozen=True, slots=True)
class PutAside:
    """Leave it, and say so."""

    failures: int


Verdict = Restart | PutAside


def judge(failures: tuple[Instant, ...], now: Instant, policy: Policy) -> tuple[tuple[Instant, ...], Verdict]:
    """Return the failures that still count, the one of `now` among them, and what to do.

    Args:
        failures: when the child failed before, the oldest first.
        now: when it has failed again.
    """
    recent = (*(at for at in failures if now - at < policy.period_s), now)
    if len(recent) > policy.intensity:
        return recent, PutAside(len(recent))
    delay_s = min(policy.delay_initial_s * 2 ** (len(recent) - 1), policy.delay_max_s)
    return recent, Restart(delay_s)


def pause(failures: tuple[Instant, ...], now: Instant, policy: Policy) -> tuple[tuple[Instant, ...], float]:
    """Return the failures that still count, the one of `now` among them, and the seconds before the next start.

    For what must not stay down. What is remembered is bounded: beyond the intensity each failure takes its wait.

    Args:
        failures: when it failed before, the oldest first.
        now: when it has failed again.
    """
    recent = (*(at for at in failures if now - at < policy.period_s), now)
    beyond = len(recent) - policy.intensity
    if beyond <= 0:
        return recent, 0.0
    return recent, max(LEAST_PAUSE_S, min(policy.delay_initial_s * 2.0 ** min(beyond - 1, 60), policy.delay_max_s))
