"""Which parameters are completed with what: by the word that stands for them in the help text.

Loaded with every command, so it holds a table and no more; who is asked stands in names.py.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

KINDS: Final[Mapping[str, str]] = {
    "NODE": "node",
    "RANGE": "range",
    "ID": "request",
    "RUNBOOK": "runbook",
    "ALLOCATION": "allocation",
    "FIELD,…": "fields",
    "FIELD[:desc]": "field",
    "CONDITION": "field",
    "FILE": "file",
}
"""Metavar, without brackets and dots → what it is completed with."""


class Completed(click.types.StringParamType):
    """Text that a shell completes."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":  # noqa: ARG002 - click's signature
        """Return what may stand there; nothing, if that cannot be found out at once."""
        from castiron.cli.shell.names import completions  # noqa: PLC0415 - only a shell that completes needs it

        with ctx.scope(cleanup=False):  # click leaves it before it asks; --endpoint may be in it
            return completions(self.kind, incomplete)


def teach(params: list[click.Parameter]) -> None:
    """Have plain text parameters completed whose metavar is in the table."""
    for param in params:
        metavar = param.metavar or ""
        kind = KINDS.get(metavar) or KINDS.get(metavar.removesuffix("...").strip("[]"))
        if kind is not None and type(param.type) is click.types.StringParamType:
            param.type = Completed(kind)
