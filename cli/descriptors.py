"""How many files and sockets the conductor's process may open: enough for its clients, or a line that says why not."""

import logging
import resource
from typing import Final

from castiron.transport.session import DEFAULT_LIMITS

log = logging.getLogger(__name__)

OWN: Final = 256
"""Store, sockets of the drivers and of ZeroMQ, logs: some 40, with room for plug-ins."""

NEEDED: Final = 2 * DEFAULT_LIMITS.peers + OWN
"""A connection for each client that is remembered, and one more for the events that it follows."""


def raise_limit(needed: int = NEEDED) -> None:
    """Raise the soft limit to what is needed, or to the hard limit; say so where that is not enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # a sandbox that forbids what the limit allows
        most = soft
    if most < needed:
        log.warning(
            "this process may open %d files and sockets, where %d clients need %d; those who come later wait. "
            "Raise the hard limit: `ulimit -Hn`, or LimitNOFILE= in a systemd unit.",
            most,
            DEFAULT_LIMITS.peers,
            needed,
        )
    else:
        log.debug("raised the limit of open files from %d to %d", soft, most)
