"""A client's verbs about the conductor's periodic tasks."""

from collections.abc import Sequence

from castiron.transport.clients.conversation import Conversation
from castiron.transport.replies import PeriodicListed, PeriodicView
from castiron.transport.verbs import PeriodicList, PeriodicStart, PeriodicStop


class AsyncPeriodics:
    """Periodic tasks. Not to be made by hand: `client.periodics` is one. Thread: that of its client."""

    def __init__(self, conversation: Conversation, *, timeout_s: float) -> None:
        self._conversation = conversation
        self._timeout_s = timeout_s

    async def list(self) -> Sequence[PeriodicView]:
        """Return all of them, in the order in which they were found.

        Raises:
            ReplyTimeout, ConductorLost: nothing was heard.
        """
        return (await self._conversation.ask(PeriodicList(), PeriodicListed, self._timeout_s)).periodics

    async def stop(self, name: str) -> PeriodicView:
        """Have a task run no more, until `start` or the conductor's next start. Idempotent; needs the role admin.

        Raises:
            PeriodicNotFound: none has this name.
            ReplyTimeout, ConductorLost: nothing was heard.
        """
        return await self._conversation.ask(PeriodicStop(periodic=name), PeriodicView, self._timeout_s)

    async def start(self, name: str) -> PeriodicView:
        """Have a task run again that was stopped, or said that it is to run no more. Idempotent; needs the role admin.

        Raises:
            PeriodicNotFound: none has this name.
            ReplyTimeout, ConductorLost: nothing was heard.
        """
        return await self._conversation.ask(PeriodicStart(periodic=name), PeriodicView, self._timeout_s)
