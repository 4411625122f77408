"""How a command for many nodes is to be carried out: so many at a time, so far apart, and asked about before.

The options, and the question. What they mean is the conductor's business.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any, Final, TypeVar, cast

import click

from castiron.cli.options import is_terminal
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.transport.clients.bulk import BulkTerms

_Function = TypeVar("_Function", bound=Callable[..., Any])

CONFIRM_ABOVE: Final = 100
"""Machines that are touched without a question: more than people type by hand, and less than a slip in a condition."""

CONFIRM_VARIABLE: Final = "CASTIRON_CONFIRM_ABOVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What was typed."""

    batch: int | None = None
    stagger: float = 0.0
    per: tuple[str, int] | None = None
    stop_after_failures: int | None = None
    confirm_above: int | None = None
    """None: nobody is asked, because nothing is changed."""
    yes: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether all are to be asked at once, and whatever happens."""
        return self.terms() == BulkTerms(stagger_s=0.0)

    def terms(self) -> BulkTerms:
        """Return it as a bulk has it."""
        terms = BulkTerms(stagger_s=self.stagger)
        if self.batch is not None:
            terms["batch"] = self.batch
        if self.per is not None:
            terms["per"], terms["per_limit"] = self.per
        if self.stop_after_failures is not None:
            terms["stop_after_failures"] = self.stop_after_failures
        return terms


def _group(_ctx: click.Context, _param: click.Parameter, text: str | None) -> tuple[str, int] | None:
    """Read FIELD or FIELD=N."""
    if text is None:
        return None
    field, sign, number = text.rpartition("=")
    if not sign:
        return text, 1
    if not number.isdecimal() or int(number) < 1 or not field:
        raise click.BadParameter(f"{text!r} is not FIELD or FIELD=N. Write properties.rack, or properties.rack=2.")
    return field, int(number)


_OPTIONS: Final = (
    click.option("--batch", type=click.IntRange(min=1), metavar="N", help="At most N machines at once."),
    click.option(
        "--stagger",
        type=click.FloatRange(min=0),
        default=0.0,
        metavar="SECONDS",
        help="At least so long from one machine's start to the next.",
    ),
    click.option(
        "--per",
        callback=_group,
        metavar="FIELD[=N]",
        help="At most N machines at once (1 if not given) of those that have the same in this field, as "
        "properties.rack=2.",
    ),
    click.option(
        "--stop-after-failures",
        type=click.IntRange(min=1),
        metavar="N",
        help="Once N have failed, start no further ones.",
    ),
)

_QUESTIONS: Final = (
    click.option(
        "-m",
        "--confirm-above",
        type=click.IntRange(min=1),
        default=CONFIRM_ABOVE,
        envvar=CONFIRM_VARIABLE,
        metavar="N",
        help=f"Ask before more than N machines are touched; without a terminal, refuse. [default: {CONFIRM_VARIABLE}, "
        f"else {CONFIRM_ABOVE}]",
    ),
    click.option("--yes", is_flag=True, help="Do not ask."),
)


def paced(*, changes: bool) -> Callable[[_Function], _Function]:
    """Give a command its options, and hand them to it as one `pace`.

    Args:
        changes: it changes something, so it is asked about.
    """

    def decorate(function: _Function) -> _Function:
        @wraps(function)
        def command(*args: Any, **given: Any) -> Any:
            pace = Pace(**{item.name: given.pop(item.name) for item in fields(Pace) if item.name in given})
            return function(*args, pace=pace, **given)

        decorated = cast("_Function", command)
        for option in reversed((*_OPTIONS, *(_QUESTIONS if changes else ()))):
            decorated = option(decorated)
        return decorated

    return decorate


def confirm(count: int, limit: int) -> None:
    """Ask whether so many machines are meant.

    Raises:
        Stop: they are not, or nobody is there to say so.
    """
    if not is_terminal("stdin"):
        raise Stop(
            f"It would reach {count} machines, and above {limit} somebody is asked first. Say --yes, or raise "
            f"--confirm-above or {CONFIRM_VARIABLE}. Nothing was done.",
            Exit.USAGE,
        )
    if not click.confirm(f"This reaches {count} machines. Go on?", err=True):
        raise Stop("Nothing was done.", Exit.USAGE)
