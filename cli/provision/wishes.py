"""Steps as they are typed: one by one with --step, or as a list in a file. What they mean is the conductor's business.

An argument of a step may be a secret, so no message here ever repeats one.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, cast

import click

from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop
from castiron.cli.pairs import json_pairs
from castiron.cli.provision.documents import read_document
from castiron.transport.clients.provisioning.moves import AnyStep, step_of
from castiron.transport.verbs import StepWish

_NEXT_ARGUMENT: Final = re.compile(r",(?=[A-Za-z0-9_.-]+=)")
"""A comma that another KEY= follows; others are part of a value."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


def steps_options(function: _Function) -> _Function:
    """Give a command --step and --steps; `wanted` makes one list of both."""
    one_by_one = click.option(
        "--step",
        "typed",
        multiple=True,
        metavar="STEP",
        help="INTERFACE.STEP, or STEP alone where only one interface has it; with arguments, as "
        "management.set_boot_device:boot_device=pxe,uefi=true. A value is JSON where it reads as JSON, text otherwise; "
        "KEY=@FILE takes it from a file, KEY=- asks for it without an echo. Repeatable, in order. [default: what the "
        "node's driver does]",
    )
    from_file = click.option(
        "--steps",
        "path",
        metavar="FILE",
        help="The steps as a list of objects in JSON, or as [[steps]] in a file *.toml; - for standard input.",
    )
    return one_by_one(from_file(function))


def wanted(typed: Sequence[str], path: str | None) -> list[StepWish] | None:
    """Return the steps that were typed; None: none were.

    Raises:
        Stop: the file cannot be read, or holds no list of steps.
    """
    if typed and path is not None:
        raise click.UsageError("Name the steps with --step, or all of them in a file with --steps.")
    if path is not None:
        return [step_of(one) for one in _listed(path)]
    return [_typed(one) for one in typed] or None


def _typed(text: str) -> StepWish:
    name, colon, arguments = text.partition(":")
    if not name or (colon and not arguments):
        raise click.UsageError("--step takes INTERFACE.STEP, or INTERFACE.STEP:KEY=VALUE,KEY=VALUE.")
    args = json_pairs(f"--step {name}", _NEXT_ARGUMENT.split(arguments)) if arguments else {}
    wish = step_of(name)
    return StepWish(step=wish.step, interface=wish.interface, args=args)


def _listed(path: str) -> list[AnyStep]:
    read = read_document(path).content
    steps = cast("dict[str, Any]", read).get("steps") if isinstance(read, dict) else read
    if not isinstance(steps, list) or not all(isinstance(one, dict | str) for one in cast("list[object]", steps)):
        raise Stop(f"{path}: steps are a list; each is an object, or the name of a step.", Exit.BAD_DATA)
    return cast("list[AnyStep]", steps)
