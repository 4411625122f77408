"""The `castiron` command: its groups, and what every command shares."""

import click

import castiron


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(castiron.__version__, prog_name="castiron")
def main() -> None:
    """Keep a fleet of bare-metal machines in the state you asked for."""
