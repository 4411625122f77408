"""Verbs about the conductor itself, and its periodic tasks."""

from typing import Annotated

from msgspec import Meta

from castiron.transport import errors
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


class ConductorDrain(Verb, frozen=True, kw_only=True, tag="conductor.drain"):
    """Have the conductor finish what it has accepted, and refuse new work with `conductor.draining`. Idempotent.

    Whoever looks or waits is answered as ever; what ends work, or helps it to its end, is let in: cancelling, aborting,
    holds, call backs, locks and maintenance. It lasts until `undo`, or the conductor's next start. The answer tells how
    much is left, as `status` does from then on.
    """

    undo: Annotated[bool, Meta(description="accept new work again")] = False

    makes_work = True
    role = Role.ADMIN
    version = "1.1"


PeriodicName = Annotated[str, Meta(min_length=1, max_length=255, description="its name in the list")]


class PeriodicList(Verb, frozen=True, kw_only=True, tag="periodic.list"):
    """Tell of all periodic tasks: how often they run, when they run next, and what their runs have come to."""

    role = Role.READER
    version = "1.1"


class PeriodicStop(Verb, frozen=True, kw_only=True, tag="periodic.stop"):
    """Have a periodic task run no more, until `periodic.start` or the conductor's next start. Idempotent.

    A run that is under way goes on to its end.
    """

    periodic: PeriodicName

    makes_work = True
    refusals = (errors.PeriodicNotFound,)
    role = Role.ADMIN
    version = "1.1"


class PeriodicStart(Verb, frozen=True, kw_only=True, tag="periodic.start"):
    """Have a periodic task run again that was stopped, or has said that it is to run no more. Idempotent."""

    periodic: PeriodicName

    makes_work = True
    refusals = (errors.PeriodicNotFound,)
    role = Role.ADMIN
    version = "1.1"
