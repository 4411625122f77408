"""Verbs about the conductor itself."""

from typing import Annotated

from msgspec import Meta

from castiron.transport.verbs.verb import Verb
from castiron.transport.vocabulary import Role


class Hello(Verb, frozen=True, kw_only=True, tag="hello"):
    """Open a conversation: learn who the conductor is, what it speaks, and its limits."""

    client: Annotated[str, Meta(max_length=255, description="what you are, for the log: castiron-python/0.1.0")] = ""

    role = Role.READER


class Ping(Verb, frozen=True, kw_only=True, tag="ping"):
    """Ask whether the conductor is there. Any traffic counts as a sign of life; this makes some."""

    role = Role.READER


class Status(Verb, frozen=True, kw_only=True, tag="status"):
    """Tell how the conductor is: nodes by power state, requests, queues, limits, threads, store."""

    role = Role.READER
