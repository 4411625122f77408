"""The rounds of `castiron status --watch`: ask, show, wait; also while the conductor is away, until Ctrl-C.

A conductor that restarts is waited for without end: whoever watches wants to see it come back. Nothing is decided here
about what is worth watching.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager
from threading import Event
from typing import Final, Protocol

from castiron.cli.options import Shared, can_draw
from castiron.cli.reach import absence
from castiron.cli.watch.screen import JSONLines, PlainLines, Screen
from castiron.transport.clients.blocking.client import Client
from castiron.transport.errors import (
    CapacityError,
    CastironError,
    ConductorDraining,
    ConductorLost,
    ReplyTimeout,
)
from castiron.transport.replies import StatusView

REFRESH_S: Final = 2.0
"""Between two rounds unless told otherwise: figures can be read before they change."""

LEAST_S: Final = 0.2
"""The least between two rounds: a status costs the conductor a millisecond."""


class Face(Protocol):
    """Where it is shown."""

    def show(self, before: StatusView | None, view: StatusView, at: float) -> None:
        """Show a status, with the one before it to compare with."""
        ...

    def away(self, lost: CastironError, at: float) -> None:
        """Show that there is no answer."""
        ...

    def close(self) -> None:
        """Leave what was shown last."""
        ...


def watch(client: Client, given: Shared, every_s: float) -> None:
    """Show how the conductor is, again and again, until Ctrl-C, which is no failure."""
    before: StatusView | None = None
    is_away = False
    with _face(given) as face:
        while True:
            outcome = ask(client, is_away=is_away)
            if isinstance(outcome, StatusView):
                face.show(before, outcome, time.time())
                before, is_away = outcome, False
            else:
                face.away(outcome, time.time())
                is_away = True
            Event().wait(every_s)


def ask(client: Client, *, is_away: bool) -> StatusView | CastironError:
    """Return how the conductor is, or why it does not say so now; whatever waiting cannot mend is raised.

    Args:
        client: asks.
        is_away: there was no answer the last time: look first whether anybody listens, which is quicker than to ask.
    """
    if is_away and (absent := absence(client.endpoint)) is not None:
        return absent
    try:
        return client.status()
    except (CapacityError, ConductorDraining, ConductorLost, ReplyTimeout) as lost:
        return lost


@contextmanager
def _face(given: Shared) -> Generator[Face]:
    face: Face = JSONLines() if given.is_json else Screen() if can_draw("stdout") else PlainLines()
    try:
        yield face
    except KeyboardInterrupt:
        pass
    finally:
        face.close()
