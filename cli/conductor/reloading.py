"""A hang-up: `castiron serve` reads its settings again, and goes by those that can change while it runs.

All or nothing is taken in: whatever cannot be read changes nothing. What takes a restart is named in the log. Which
settings those are is the conductor's to say.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from castiron.cli.conductor.settings import CONDUCTOR, read_settings
from castiron.cli.configuration import Configuration, chosen
from castiron.cli.logs import FORMATS, LEVELS, set_level

if TYPE_CHECKING:
    from castiron.actors.conductor import Conductor

log = logging.getLogger(__name__)

LEVEL: Final = "log_level"
"""Of the [conductor] table, all that can change while it runs."""


class Reloading:
    """What a conductor was told, and how that is read again. One thread.

    Args:
        given: as it was read at the start.
        read: reads it again; raises click's ClickException if it cannot.
    """

    def __init__(self, given: Configuration, read: Callable[[], Configuration]) -> None:
        self._given = given
        self._read = read

    def reload(self, conductor: "Conductor") -> None:
        """Read everything again, and go by what can change. Raises nothing of ours: what is wrong is logged."""
        try:
            wanted = self._read()
            level = chosen(wanted, LEVEL, LEVELS, CONDUCTOR[LEVEL][0])
            chosen(wanted, "log_format", FORMATS, CONDUCTOR["log_format"][0])
            outcome = conductor.reload(read_settings(wanted.settings))
        except (click.ClickException, ValueError) as error:
            why = error.message if isinstance(error, click.ClickException) else str(error)
            log.error("the settings are as they were, for they cannot be read again: %s", why)  # noqa: TRY400 - it says all
            return
        set_level(level)
        waits = [*self._moved(wanted), *outcome.restart]
        log.info("the settings were read again; changed: %s", ", ".join(outcome.changed) or "none")
        if waits:
            log.warning("these settings have changed, and need a restart: %s", ", ".join(waits))

    def _moved(self, wanted: Configuration) -> list[str]:
        before, after = self._given.places, wanted.places
        return [name for name in CONDUCTOR if name != LEVEL and before.get(name) != after.get(name)]
