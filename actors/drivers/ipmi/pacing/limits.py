"""How much may be asked at once: one record, the defaults of which are those of the settings. Pure."""

from dataclasses import dataclass
from typing import Final

BURST_S: Final = 0.05
"""So many seconds' worth may go at once after a rest, twice as many at the very most. Of datagrams at the default rate
that is a thousand, whose answers the receive buffers of the sockets hold."""

LEAST_BURST: Final = 10.0
"""So many in any case: a login takes six datagrams, and what it was for some more; and where the rate is low, an engine
that gets the processor late must not lose what it was due meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one engine; rates of 0: none."""

    logins: int = 640
    """Logins under way at once. With BMCs that answer after 50 ms at the median and 2 s at p99, one holds its place for
    0.6 s, so that so many are what `logins_per_s` needs. With quick ones the rate keeps them far below."""
    logins_per_s: float = 1_000.0
    """Logins begun a second, by BMCs that have answered: three quarters of what one core does."""
    datagrams_per_s: float = 10_000.0
    """To all BMCs: more than one core can send, so that it is a bound for the network, and not for the work."""
    datagrams_per_bmc_per_s: float = 100.0
    """To one address. A BMC takes 10 ms and more for an answer, so whoever asks one thing after another stays below."""
    calls_per_bmc: int = 2
    """Calls under way at one address, which several nodes may share; the last place is for requests of users."""
