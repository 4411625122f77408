"""`python -m tests.fuzz`: a long run of random and mutated messages against a conductor in a process of its own.

Stops by itself, when all messages are sent, at the first fault, or when the time is up; prints how far it is now and
then, and what it took at the end. The same seed and numbers send the same messages again.
"""

import sys
import tempfile
import time
from pathlib import Path

import click

from tests.fuzz.fortress import Fortress
from tests.fuzz.siege import Fallen, Siege


@click.command()
@click.option("--messages", default=10_000_000, show_default=True, help="How many to send.")
@click.option("--first", default=0, show_default=True, help="Number of the first one.")
@click.option("--seed", default=1, show_default=True, help="Other seeds, other messages.")
@click.option("--batch", default=2_000, show_default=True, help="Messages between two looks at the conductor.")
@click.option("--warm-up", default=200_000, show_default=True, help="Messages after which nothing may grow any more.")
@click.option("--seconds", default=86_400.0, show_default=True, help="End after so long, whatever is left.")
@click.option("--tcp", is_flag=True, help="Through a TCP port instead of a Unix socket.")
def main(*, messages: int, first: int, seed: int, batch: int, warm_up: int, seconds: float, tcp: bool) -> None:
    """Besiege a conductor."""
    with tempfile.TemporaryDirectory(prefix="castiron-fuzz-") as folder:
        endpoint = "tcp://127.0.0.1:0" if tcp else f"ipc://{folder}/conductor.ipc"
        with Fortress(Path(folder), endpoint) as fortress, Siege(fortress, seed) as siege:
            say(f"seed {seed}, messages {first} to {first + messages}, at {fortress.endpoint}: {fortress.footprint()}")
            try:
                besiege(siege, range(first, first + messages, batch), warm_up, time.monotonic() + seconds)
            except Fallen as fault:
                say(f"{fault}")
                sys.exit(1)
            for answer, count in siege.answers.most_common():
                say(f"{count:>12,} {answer}")


def besiege(siege: Siege, batches: range, warm_up: int, until: float) -> None:
    """Send batches until all is sent or the time is up."""
    began = told = time.monotonic()
    for first in batches:
        siege.batch(first, min(batches.step, batches.stop - first))
        if siege.warm is None and siege.fired >= warm_up:
            siege.settle()
            say(f"warm after {siege.fired:,} messages: {siege.warm}")
        now = time.monotonic()
        if now - told > 30.0 or now > until:
            told = now
            say(progress(siege, now - began))
        if now > until:
            break
    say(f"{progress(siege, time.monotonic() - began)}; warm it was {siege.warm}; no fault")


def progress(siege: Siege, took_s: float) -> str:
    """Say how far it is."""
    rate = siege.fired / took_s
    return f"{siege.fired:,} messages in {took_s:.0f} s, {rate:,.0f}/s; {siege.fortress.footprint()}"


def say(line: str) -> None:
    """Print a line at once."""
    click.echo(line)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
