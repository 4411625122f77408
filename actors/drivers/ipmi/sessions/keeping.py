"""When an idle session is spoken to so that its BMC keeps it: only where nothing else is asked in time. Pure.

Every exchange keeps a session alive. So a power check is its keepalive, and one of the driver's own is sent only into a
gap that the BMC would not bear; where several are needed before the next check, they are as far apart as they can be.
"""

import math

from castiron.actors.dispatch.grid import before
from castiron.actors.drivers.ipmi.sessions.timing import Timing
from castiron.transport.vocabulary import Instant


def keepalive_at(now: Instant, next_by: Instant | None, timing: Timing) -> Instant:
    """Return when a session is spoken to that has just answered, unless something is asked before.

    Args:
        now: when it answered.
        next_by: by when it is asked something again; None, or past: nobody knows.
        timing: how long a session may be idle.
    """
    if next_by is None or next_by <= now:
        return before(Instant(now + timing.keepalive_s))
    left_s = next_by - now
    if left_s <= timing.longest_idle_s:
        return Instant(now + timing.longest_idle_s)  # not a moment before it: the check is asked at the latest then
    return before(Instant(now + left_s / math.ceil(left_s / timing.longest_idle_s)))
