"""`castiron completion`: the few lines that make a shell complete castiron's commands, options and names.

The work is click's: the shell calls castiron again with what has been typed. Names come from the conductor (names.py).
"""

from typing import Final

import click
from click.shell_completion import get_completion_class

from castiron.cli.options import Command

VARIABLE: Final = "_CASTIRON_COMPLETE"
"""What click looks for in the environment, for a program called castiron."""

SHELLS: Final = ("bash", "zsh", "fish")


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands, options, values, and the names of nodes, as the conductor has them.

    bash: `castiron completion bash > ~/.local/share/bash-completion/completions/castiron`. zsh: the same to _castiron
    in a folder of $fpath. fish: `castiron completion fish > ~/.config/fish/completions/castiron.fish`.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click completes nothing in {shell}.")
    root = click.get_current_context().find_root().command
    made = kind(root, {}, "castiron", VARIABLE)
    click.echo(made.source_template % made.source_vars())
