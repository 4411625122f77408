"""How requests are to be treated: the options of all commands whose verbs become requests, in one place.

What each of them means is PROTOCOL.md's; here is only how it is typed.
"""

import time
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, Final, TypeVar, cast

import click

from castiron.cli.options import read_seconds
from castiron.transport.clients.delivery import Terms
from castiron.transport.vocabulary import OnRestart, Policy

_Function = TypeVar("_Function", bound=Callable[..., Any])


def read_moment(text: str, now: float) -> float:
    """Read a moment: a length of time from `now`, as 90, 5m, 2h, or a date and time, local unless it says otherwise.

    Raises:
        BadParameter: it is neither.
    """
    try:
        return datetime.fromisoformat(text).timestamp() if "-" in text else now + read_seconds(text)
    except (ValueError, click.BadParameter) as error:
        message = f"{text!r} is no moment. Write a time from now, as 90, 5m, 2h, or a date, as 2026-07-01T18:00."
        raise click.BadParameter(message) from error


def _from_now(text: str) -> float:
    return read_moment(text, time.time())


_OPTIONS: Final = (
    click.option(
        "--policy",
        type=click.Choice([policy.value for policy in Policy]),
        help="If another request for the node is in the way: strict is refused, after starts when that one has "
        "succeeded, supersede takes the place of what has not started. [default: strict]",
    ),
    click.option("--hold", is_flag=True, help="While a node is in maintenance, wait for its end."),
    click.option("--fresh", is_flag=True, help="Look at the machine first, then judge the request."),
    click.option("--again", is_flag=True, help="Once more, even if an equal request has not ended."),
    click.option(
        "--deadline",
        "deadline_at",
        type=_from_now,
        metavar="TIME",
        help="Expire if it has not started by then: seconds from now, or as 5m, 2h, or a date as 2026-07-01T18:00.",
    ),
    click.option(
        "--on-restart",
        type=click.Choice([on_restart.value for on_restart in OnRestart]),
        help="What becomes of it if the conductor restarts before it has ended. [default: resume]",
    ),
    click.option(
        "--callback-url",
        metavar="URL",
        help="Called once it has ended; see docs/guides/webhooks.md. With a range, once for each node.",
    ),
    click.option(
        "--request-key",
        metavar="KEY",
        help="The same command with the same key is the same requests: it can be repeated safely. Each node's request "
        "has a key of its own, made of this one.",
    ),
)


def terms_options(function: _Function) -> _Function:
    """Give a command the options, which come to it together as `terms`."""

    @wraps(function)
    def with_terms(*args: Any, **options: Any) -> Any:
        options["key"] = options.pop("request_key")  # `--key` is another one, which every command has
        given = {name: options.pop(name) for name in Terms.__annotations__}
        terms = cast("Terms", {name: value for name, value in given.items() if value not in {None, False}})
        return function(*args, terms=terms, **options)

    decorated: Any = with_terms
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return cast("_Function", decorated)
