"""When a node is checked next: how far apart checks are as the node stands, and why. One table of paces, two functions.

    pace_of(state, check, settings) -> Pace(kind, every_s)
    due(pace, check, now) -> (by when the next check comes, by how much it may come earlier)

What counts: the node's interval, how long its last action is over, checks in a row without an answer, its fault. All of
it is taken from the instant at which the latest check began, never from now: so a pace changes only when one of them
does, and whoever asks twice gets the same answer. Whether a session is open counts for nothing here: the driver is told
when the next check comes, and keeps the session alive where that is too late.

Pure. May come in: another reason to look more or less often. Must not: what follows from what is seen.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from castiron.actors.core.state import Check, NodeState
from castiron.actors.settings import Settings
from castiron.store.records import NodeRecord
from castiron.transport.vocabulary import CheckPace, Fault, Instant

FOLLOWED_S: Final = 300.0
"""After an action, how long a machine that is found in another power state counts as not yet stable, which has it
looked at often again. Bounded, so that one that switches for ever is not looked at every few seconds for ever."""

MAX_DOUBLINGS: Final = 32
"""Of an interval; a float would bear more, but no bound of a setting needs them."""


USUAL_JITTER: Final = 0.05
"""The usual row's, beside the table, because looking a word up in it costs a check more than all else here."""


class Row(NamedTuple):
    """What a pace is, in words, and its jitter."""

    jitter: float
    """Of the interval, by how much a check may come early, drawn at random; never late, because the session to the BMC
    is kept alive by it."""
    meaning: str


PACES: Final[Mapping[CheckPace, Row]] = {
    CheckPace.OFF: Row(0.0, "not at all: the settings say so, its own interval, its maintenance, or its deletion"),
    CheckPace.USUAL: Row(
        USUAL_JITTER,
        "once an interval, early by up to 5 %, so that checks that once coincided drift apart; the one after the first "
        "anywhere within the interval, so that what began together goes on evenly spread",
    ),
    CheckPace.AFTER_ACTION: Row(
        0.05,
        "after an action: `power_check_after_action_s` after its end, then each time after as long again, "
        "until that is an interval; from the beginning again if the machine is seen to change meanwhile",
    ),
    CheckPace.SILENT: Row(
        0.25,
        "after two failed checks in a row: twice as far apart with each, up to `power_check_backoff_max_s`, early by "
        "up to 25 %, so that BMCs that fell silent at once are not asked at once again; usual from the first answer on",
    ),
    CheckPace.FAULT: Row(0.25, "with the fault `power failure`: once in `power_failure_recovery_interval_s`"),
}
"""Every pace that there is."""


class Pace(NamedTuple):
    """How a node is checked."""

    kind: CheckPace
    every_s: float
    """From the beginning of one check to that of the next; 0.0: there is none."""


NEVER: Final = Pace(CheckPace.OFF, 0.0)


def usual_s(record: NodeRecord, settings: Settings) -> float:
    """Return the interval of a node with which nothing is the matter; 0.0: it is not checked."""
    own_s = record.power_check_interval_s
    return settings.sync_power_state_interval_s if own_s is None else own_s


def pace_of(state: NodeState, check: Check, settings: Settings) -> Pace:
    """Return how often the node is checked, as it stands.

    Args:
        state: the node; its own `check` is not looked at.
        check: where its check stands.
    """
    resting = _at_rest(state, check, settings)
    changed_at = check.changed_at
    if changed_at is None:
        return resting  # as nearly always
    quick_s = settings.power_check_after_action_s
    if check.failures or not quick_s or state.is_in_hand:
        return resting  # a check would be skipped, and the request's end is the next change
    every_s = max(quick_s, check.started_at - changed_at)
    return Pace(CheckPace.AFTER_ACTION, every_s) if every_s < resting.every_s else resting


def due(pace: Pace, check: Check, now: Instant) -> tuple[Instant, float]:
    """Return when the next check comes at the latest, and by how much it may come earlier.

    It comes an interval after the latest one began, or after the action that is over since. One that took longer than
    that is followed by a whole interval, and never by several at once. A node that was not checked before, and is from
    now on, is looked at now. The one after the first comes anywhere within its interval: first checks come in the few
    seconds after a start, and without this all later ones would, too, with a pause until the next bunch.
    """
    if not check.every_s:
        return now, 0.0
    since = check.started_at
    if pace.kind is CheckPace.AFTER_ACTION and check.changed_at is not None:
        since = max(since, check.changed_at)
    at = Instant(since + pace.every_s)
    if at <= now:
        at = Instant(now + pace.every_s)
    return at, min(pace.every_s * _jitter(pace.kind, check), at - now)  # what is due before now would count as late


def _jitter(kind: CheckPace, check: Check) -> float:
    if kind is not CheckPace.USUAL:
        return PACES[kind].jitter
    return 1.0 if check.is_first else USUAL_JITTER


def is_settling(check: Check, now: Instant) -> bool:
    """Return whether a change of the machine's power state may still be its last action's doing."""
    return check.acted_at is not None and now - check.acted_at <= FOLLOWED_S


def _at_rest(state: NodeState, check: Check, settings: Settings) -> Pace:
    """Return how often the node is checked, whatever was done to it lately."""
    record = state.record
    if state.leaving or record.fault is Fault.ACTOR_FAILURE:
        return NEVER
    if record.maintenance and record.fault is Fault.POWER_FAILURE:
        rare_s = settings.power_failure_recovery_interval_s
        return Pace(CheckPace.FAULT, rare_s) if rare_s else NEVER
    if record.maintenance and not settings.power_check_in_maintenance:
        return NEVER
    every_s = usual_s(record, settings)
    if not every_s:
        return NEVER
    if check.failures <= 1:
        return Pace(CheckPace.USUAL, every_s)
    most_s = max(every_s, settings.power_check_backoff_max_s)
    return Pace(CheckPace.SILENT, min(every_s * 2.0 ** min(check.failures - 1, MAX_DOUBLINGS), most_s))
