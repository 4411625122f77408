"""Where steps are found: castiron's own, and those of plug-ins, under the entry points `castiron.steps`.

An entry point names a declared step, or a list of them. One that cannot be loaded is told, and left out. Made once, at
a conductor's start, and not changed afterwards.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Final

from castiron.actors.core.provision.catalogue import BUILT_IN, Catalogue, catalogue_of
from castiron.actors.steps.declaring import DeclaredStep

log = logging.getLogger(__name__)

GROUP: Final = "castiron.steps"

NO_FLOWS: Final = (
    "It is a flow of TaskFlow's, which this conductor does not run: set task_executor to taskflow, with "
    "`pip install castiron[taskflow]`."
)


class Shelf:
    """All steps that there are."""

    def __init__(self, declared: Iterable[DeclaredStep] = (), *, has_flows: bool = False) -> None:
        """Take steps in; castiron's own go first where two have the same name.

        Args:
            has_flows: steps may be flows of TaskFlow's.
        """
        self.declared: Final[Mapping[tuple[str, str], DeclaredStep]] = {
            (one.known.interface, one.known.step): one for one in declared
        }
        self.catalogue: Final[Catalogue] = catalogue_of(
            BUILT_IN,
            tuple(
                replace(one.known, refusal=NO_FLOWS) if one.known.is_flow and not has_flows else one.known
                for one in self.declared.values()
            ),
        )

    @classmethod
    def stocked(cls, *, has_flows: bool = False) -> "Shelf":
        """Return a shelf with the steps of all plug-ins that are installed."""
        found: list[DeclaredStep] = []
        for entry in entry_points(group=GROUP):
            try:
                loaded = entry.load()
            except Exception:
                log.exception("the steps of %s (%s) cannot be loaded; they are left out", entry.name, entry.value)
                continue
            steps = [loaded] if isinstance(loaded, DeclaredStep) else list(loaded)
            found += [one for one in steps if isinstance(one, DeclaredStep)]
        return cls(found, has_flows=has_flows)
