"""How BMCs are looked for on networks: the look is the driver's; here is what a person sees of it."""

import ipaddress
from collections.abc import Sequence
from typing import Final

from castiron.actors.drivers.ipmi.probing.sweeping import Found, Sweep, hosts_of
from castiron.cli.options import Shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import Stop, tell
from castiron.cli.output.progress import Progress
from castiron.cli.output.render import show_json, show_table

_HEAD: Final = ("ADDRESS", "PORT", "IPMI", "RESPONSE")


def discover(
    networks: Sequence[str], given: Shared, *, port: int, rate_per_s: float, tries: int, wait_s: float
) -> None:
    """Look for BMCs, show how it goes, and print what was found; also if it is interrupted.

    Raises:
        Stop: a network is none, or too large; or interrupted.
    """
    try:
        hosts = hosts_of(networks)
    except ValueError as wrong:
        raise Stop(f"{wrong}. Write a network as 192.0.2.0/24.", Exit.USAGE) from None
    sweep = Sweep(hosts, port=port, rate_per_s=rate_per_s, tries=tries, wait_s=wait_s)
    found: list[Found] = []
    is_whole = False
    try:
        with Progress(len(hosts)) as progress:
            for one in sweep.run():
                found.extend([] if one is None else [one])
                progress.draw(lambda: f"{min(sweep.asked, len(hosts))} of {len(hosts)} asked, {len(found)} found")
        is_whole = True
    except KeyboardInterrupt:
        pass
    _show(sorted(found, key=lambda one: ipaddress.ip_address(one.address).packed), given)
    if sweep.unsent:
        tell(f"{sweep.unsent} pings could not be sent from here: is there a route?")
    if not is_whole:
        raise Stop(f"Interrupted. {min(sweep.asked, len(hosts))} of {len(hosts)} were asked.", Exit.INTERRUPTED)
    tell(f"{len(found)} of {len(hosts)} addresses answered.")


def _show(found: Sequence[Found], given: Shared) -> None:
    if given.is_json:
        show_json([one._asdict() for one in found])
    elif found:
        rows = [
            [one.address, str(one.port), "yes" if one.speaks_ipmi else "no", f"{one.response_ms} ms"] for one in found
        ]
        show_table(_HEAD, rows)
