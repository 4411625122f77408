"""A conversation with a conductor, verb by verb, without the client's typed face: for tests of what is on the wire."""

import time
from typing import Self

from castiron.transport.clients.blocking.conversation import BlockingConversation
from castiron.transport.clients.blocking.running import Blocking, blocking
from castiron.transport.clients.conversation import Conversation
from castiron.transport.endpoint import parse_endpoint


class Talking(Blocking[Conversation]):
    """Asks, and blocks until it is answered."""

    ask = blocking(Conversation.ask)
    ask_with_seq = blocking(Conversation.ask_with_seq)
    idle = blocking(Conversation.idle)

    def __init__(self, endpoint: str, *, name: str = "test") -> None:
        super().__init__(BlockingConversation(parse_endpoint(endpoint), name=name, now=time.monotonic))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the conversation."""
        self.held.close()
