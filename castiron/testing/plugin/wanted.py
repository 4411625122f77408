"""What a test wants of castiron's fixtures, as its marker says it. Nothing of castiron is loaded too early."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from castiron.actors.settings import Settings
    from castiron.testing.bmc import Faults

MARKER: Final = "castiron"
NODES: Final = 3
TIMEOUT_S: Final = 10.0
"""A client's own default."""

PROMPT: Final[Mapping[str, Any]] = {"power_check_start_spread_s": 0.0}
"""Settings of every test that does not say otherwise: a hundred BMCs of a farm may be logged in to at once."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a test's marker asks for."""

    nodes: int = NODES
    """So many machines, each a node: n1, n2, … With 0 there is no farm either."""
    faults: "Mapping[str, Faults | str]" = field(default_factory=dict[str, "Faults | str"])
    """What is wrong with them from the beginning: nodes as a host range → `Faults`, or words as `castiron farm set`."""
    settings: "Settings | Mapping[str, Any]" = field(default_factory=dict[str, Any])
    """Of the conductor: by name, or all of them."""
    driver: str = "ipmi"
    """Of the nodes: "ipmi", to BMCs over UDP, or "fake"."""
    enrolled: bool = True
    """Whether the machines are nodes of the conductor's from the beginning."""
    stored: bool = False
    """Whether the conductor's store is a file, castiron.db in `tmp_path`; else it is in memory."""
    impatient: bool = True
    """A BMC's silence is borne for a second, not for six: on loopback nothing gets lost."""
    timeout_s: float = TIMEOUT_S
    """How long `castiron_client` waits for an answer."""
    seed: int = 0
    """What faults are drawn from, and all else in virtual time."""

    @property
    def names(self) -> list[str]:
        """Names of the machines' nodes."""
        from castiron.testing.ailments import node_names  # noqa: PLC0415 - loaded where it is asked for

        return node_names(self.nodes)

    def ailing(self) -> "dict[int, Faults]":
        """Return the numbers of the machines that have faults from the beginning, from 0, and the faults.

        Raises:
            UsageError: they are none, or of a node that there is not.
        """
        from castiron.testing.ailments import faults_of  # noqa: PLC0415 - loaded where it is asked for

        names = self.names
        try:
            return {names.index(name): faults for name, faults in faults_of(self.faults, names).items()}
        except ValueError as failure:
            raise pytest.UsageError(f"@pytest.mark.{MARKER}: {failure}") from None

    def chosen(self, usual: Mapping[str, Any] = PROMPT) -> "Settings":
        """Return the conductor's settings: all as the test says, or the usual ones but for what it says.

        Raises:
            UsageError: there is no such setting, or it cannot be so.
        """
        from castiron.actors.settings import SettingInvalid, Settings, settings_from  # noqa: PLC0415 - as above

        if isinstance(self.settings, Settings):
            return self.settings
        try:
            return settings_from({**usual, **self.settings})
        except SettingInvalid as failure:
            raise pytest.UsageError(f"@pytest.mark.{MARKER}: settings= has {failure}") from None


def words() -> str:
    """Return what the marker takes."""
    return ", ".join(sorted(one.name for one in fields(Wanted)))


def wanted_by(request: pytest.FixtureRequest) -> Wanted:
    """Return what the markers ask for: a test's own words over its class's and its module's.

    Raises:
        UsageError: a word that there is not.
    """
    said: dict[str, Any] = {}
    for marker in reversed([*request.node.iter_markers(MARKER)]):
        if marker.args:
            raise pytest.UsageError(f"@pytest.mark.{MARKER} takes its arguments by name, as nodes=100.")
        said |= marker.kwargs
    if unknown := sorted(set(said) - {one.name for one in fields(Wanted)}):
        raise pytest.UsageError(f"@pytest.mark.{MARKER} knows no {', '.join(unknown)}; it takes {words()}.")
    wanted = Wanted(**said)
    if wanted.nodes < 0:
        raise pytest.UsageError(f"@pytest.mark.{MARKER}: so many nodes there cannot be: {wanted.nodes}.")
    return wanted
