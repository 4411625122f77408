"""How long silence is borne. One record, so that tests and simulations can be short of patience. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Lengths of time in seconds. Each wait is lengthened at random by up to `jitter` of itself."""

    waits_s: tuple[float, ...] = (1.0, 2.0, 3.0)
    """How long each transmission is given; after the last, the BMC is silent. The steps are ipmitool's and pyghmi's:
    one second, and one more each time. Their sum leaves a call of 15 s the time for a fresh login."""
    control_wait_s: float = 5.0
    """How long the one transmission of a chassis control is given. Some BMCs answer it only when it is carried out."""
    close_waits_s: tuple[float, ...] = (0.5, 0.5)
    """As waits_s, for a logout: nobody depends on its answer."""
    keepalive_s: float = 30.0
    """Idle time after which a session is spoken to, where nobody has said when it is asked something anyway. Half of
    what BMCs bear: they end one after 60 s ± 3 s (IPMI v2.0, 6.12.15)."""
    longest_idle_s: float = 48.0
    """Idle time that a session is left with where an exchange is to come in time, which then is its keepalive: what is
    left of the 57 s is enough for the exchange to be sent three times."""
    fresh_s: float = 5.0
    """A chassis control goes only into a session that was heard from this recently; else the session is tried first
    with a read, so that a BMC that has forgotten it costs a login and not an unknown outcome."""
    jitter: float = 0.25
    """Spreads retransmissions of many BMCs that fell silent at once."""

    @property
    def login_waits_s(self) -> tuple[float, ...]:
        """As waits_s, for a login: four exchanges, begun anew where one is not answered, as BMCs take none of it twice.

        One more than a request gets, or of slow BMCs that lose datagrams two in a thousand would count as silent; and
        soon, because the one before it may still be answered.
        """
        return (self.waits_s[0], *self.waits_s)

    @property
    def patience_s(self) -> float:
        """How long a request is waited for at the most, however often it is sent."""
        return sum(self.waits_s) * (1 + self.jitter)
