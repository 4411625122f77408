"""A call that has no outcome yet, and what is known of its effect meanwhile."""

import logging
from collections.abc import Callable

from castiron.actors.drivers.base import Call, Outcome
from castiron.actors.drivers.ipmi.sessions.exchange import Refused, Request, Steps
from castiron.transport.vocabulary import Applied

_log = logging.getLogger(__name__)


class Pending:
    """A call that has no outcome yet."""

    __slots__ = ("acted", "call", "done", "is_in_doubt", "is_repeated", "left_at", "sent_once")

    def __init__(self, call: Call, done: Callable[[Outcome], None]) -> None:
        self.call = call
        self.done = done
        self.acted = False
        """Something of it that changes the machine has left."""
        self.is_in_doubt = False
        """And was not answered, before the call was repeated."""
        self.sent_once = False
        """Something of it that must not go twice has left."""
        self.is_repeated = False
        self.left_at: tuple[Steps, Request] | None = None
        """Where it goes on, if it has stepped aside."""

    @property
    def applied(self) -> Applied:
        """What is known if it ends now without an answer."""
        return Applied.UNKNOWN if self.acted else Applied.NO

    def after(self, refused: Refused) -> Applied:
        """Return what is known if it ends by a refusal: nothing of it was applied, or what went before may have been.

        What went before is an earlier copy, in a session that broke, or another request of the operation, that acted.
        """
        acted_before = self.acted and not refused.request.acts
        return Applied.UNKNOWN if self.is_in_doubt or refused.is_in_doubt or acted_before else Applied.NO

    def end(self, outcome: Outcome) -> None:
        """Tell the outcome. Called once; a caller's fault is logged and stays there."""
        try:
            self.done(outcome)
        except Exception:  # noqa: BLE001 - whatever a caller's function raises
            _log.exception("The receiver of an outcome failed; node %s.", self.call.target.node)
