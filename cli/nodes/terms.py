"""Options that say how a request is to be treated: the same for every command that makes one."""

import click

callback_url = click.option(
    "--callback-url",
    metavar="URL",
    help="Called once the request has ended; see docs/guides/webhooks.md. With a range, once for each node.",
)
"""For commands whose verbs become requests."""
