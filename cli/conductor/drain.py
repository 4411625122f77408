"""`castiron drain`: have the conductor finish what it has accepted and accept nothing new, and wait until it has."""

import time
from collections.abc import Callable
from threading import Event
from typing import Final

import click

from castiron.cli.options import Command, Shared, is_terminal, shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop, tell
from castiron.cli.output.render import show_json
from castiron.cli.reach import connect
from castiron.transport.clients.blocking.client import Client
from castiron.transport.replies import DrainView
from castiron.transport.verbs import ConductorDrain, Status

PACE_S: Final = 0.5
"""Between two looks at what is left; a status costs some milliseconds with 10,000 nodes."""


@click.command(cls=Command, verbs=(ConductorDrain, Status))
@click.option("--wait", is_flag=True, help="Tell how much is left, and end when nothing is.")
@click.option("--undo", is_flag=True, help="Accept new work again.")
def drain(*, wait: bool, undo: bool) -> None:
    """Have the conductor finish what it has accepted, and refuse new work until --undo or its next start.

    For a stop that interrupts nothing: `castiron drain --wait && systemctl restart castiron`. Meanwhile it checks and
    answers as ever; requests can be cancelled, and whoever asks for work is told to come back.
    """
    if wait and undo:
        raise click.UsageError("--wait waits for the end of what runs, --undo has it go on: choose one.")
    given = shared()
    with connect(given) as client:
        view = client.drain(undo=undo)
        if wait:
            view = _waited(client, view, given)
    if given.is_json:
        return show_json(view)
    return click.echo(in_words(view))


def in_words(view: DrainView) -> str:
    """Return in a sentence whether it drains, and what is left."""
    if not view.is_draining:
        return "It does not drain: new work is accepted."
    if is_done(view):
        return "It drains, and nothing is left: it can be stopped."
    return f"It drains; {left(view)}."


def left(view: DrainView) -> str:
    """Return how much is left, in words."""
    bulks = f", {view.bulks} bulk{'s' * (view.bulks != 1)} under way" if view.bulks else ""
    return f"{view.open_requests} request{'s' * (view.open_requests != 1)} left, {view.running} running{bulks}"


def is_done(view: DrainView) -> bool:
    """Return whether everything that was accepted has ended."""
    return not (view.open_requests or view.running or view.bulks)


def _waited(client: Client, view: DrainView, given: Shared) -> DrainView:
    try:
        return _wait(client, view, given)
    except KeyboardInterrupt:
        message = "Interrupted. The conductor goes on draining; `castiron drain --undo` ends that."
        raise Stop(message, Exit.INTERRUPTED) from None


def _wait(client: Client, view: DrainView, given: Shared, now: Callable[[], float] = time.monotonic) -> DrainView:
    """Look until nothing is left.

    Raises:
        Stop: the time is up, or somebody has ended the drain.
    """
    until_s, told = now() + (given.timeout_s or float("inf")), ""
    while not is_done(view):
        if (text := left(view)) != told and (is_terminal("stderr") or given.verbosity or not told):
            tell(text)
            told = text
        if now() >= until_s:
            raise Stop(f"The time is up: {left(view)}. It goes on draining.", Exit.TRY_AGAIN)
        Event().wait(PACE_S)
        view = client.status().drain or view
        if not view.is_draining:
            raise Stop("Somebody has ended the drain, or the conductor was started anew.", Exit.TRY_AGAIN)
    return view
