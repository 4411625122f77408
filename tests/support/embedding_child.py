"""A program with an event loop that embeds a conductor, for tests that interrupt it.

    python -m tests.support.embedding_child STORE ENDPOINT

Says "starting", "ready" and "left" on standard output, and takes Ctrl-C as any program under asyncio.run does.
"""

import asyncio
import sys
from pathlib import Path

from castiron import Conductor


def say(word: str) -> None:
    """Tell the test."""
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


async def main(store: str, endpoint: str) -> None:
    """Embed a conductor until somebody interrupts it."""
    say("starting")
    try:
        async with Conductor(store=Path(store), endpoint=endpoint) as conductor:
            say("ready")
            await conductor.wait_async()
    finally:
        say("left")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
