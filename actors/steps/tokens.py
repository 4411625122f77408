"""Tokens: who holds one may say how a step ended. Sealed with the store's key, so none can be made up.

A token names its request, step and attempt, and is of no use for another. Nothing about it is stored: a conductor that
was restarted knows its own again. With the store's key renewed (offline), tokens that are out are worthless.
"""

import json
from collections.abc import Callable
from typing import Final, NamedTuple

from castiron.transport.errors import StepTokenInvalid
from castiron.transport.vocabulary import NodeUUID, RequestID

Seal = Callable[[str, str], str]
"""(row, text) → sealed."""


class StepPlace(NamedTuple):
    """What a token is for."""

    request_id: RequestID
    step: str
    attempt: int


class Tokens:
    """Gives tokens, and reads them. Any thread.

    Args:
        seal: seals a text for a row.
        open_sealed: opens it again; raises ValueError for what was not sealed for that row.
    """

    def __init__(self, seal: Seal, open_sealed: Seal) -> None:
        self._seal: Final = seal
        self._open: Final = open_sealed

    def give(self, node: NodeUUID, place: StepPlace) -> str:
        """Return a token for a step of a node."""
        return self._seal(_row(node), json.dumps(place))

    def read(self, node: NodeUUID, name: str, token: str) -> StepPlace:
        """Return what a token is for.

        Raises:
            StepTokenInvalid: it is none of this node's.
        """
        try:
            request_id, step, attempt = json.loads(self._open(_row(node), token))
        except ValueError:
            message = f"This is no token of {name}'s. The step was given one; `castiron node step list` shows it."
            raise StepTokenInvalid(message, details={"node": name}) from None
        return StepPlace(RequestID(request_id), step, attempt)


def _row(node: NodeUUID) -> str:
    return f"steps/{node}"
