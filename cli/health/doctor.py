"""`castiron doctor`: is all there that a conductor needs, and can a BMC be worked with? Changes nothing.

What is looked at is in conductor.py and bmcs.py; here is what is typed, and the look through a running conductor.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click

from castiron.cli.health.bmcs import bmc_looked_at
from castiron.cli.health.conductor import looked_at
from castiron.cli.health.findings import Finding, Verdict, ok, problem, show, warning
from castiron.cli.options import Command, Shared, shared
from castiron.cli.output.exits import Exit
from castiron.cli.output.faults import error_text
from castiron.cli.pairs import text_pairs
from castiron.cli.reach import connect
from castiron.transport.errors import CastironError
from castiron.transport.replies.machines import MASK
from castiron.transport.verbs import NodeBootDeviceGet, NodeShow, Status

ASKED_S: Final = 30.0
"""How long a conductor may take to ask a node's BMC: two commands and a login at their slowest."""


@click.command("doctor", cls=Command, verbs=(Status, NodeShow, NodeBootDeviceGet))
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="As for `castiron serve`.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="As for `castiron serve`. Repeatable.")
@click.option("--bmc", metavar="HOST[:PORT]", help="Look at this BMC instead; it need not be a node's.")
@click.option("--node", "name", metavar="NODE", help="Look at this node's BMC instead, from here and by its conductor.")
@click.option(
    "--driver-info",
    multiple=True,
    metavar="KEY=VALUE",
    help="With --bmc or --node, how to log in: ipmi_username, ipmi_password… KEY=- asks for it. Repeatable.",
)
def doctor(
    config: Path | None, settings: tuple[str, ...], bmc: str | None, name: str | None, driver_info: tuple[str, ...]
) -> int:
    """Look for what is wrong, and say what to do: settings, store, keys, endpoint, clock, limits; or with a BMC.

    With --bmc or --node: does it answer, does it speak IPMI 2.0, with which cipher suites, does the login work, is a
    session left. A node's password is not told by its conductor: the login is tried by the conductor itself, and from
    here only if the password is given. Exits with 1 if there is a problem.
    """
    given = shared()
    info = text_pairs("--driver-info", driver_info)
    if bmc is not None and name is not None:
        raise click.UsageError("--bmc and --node: use one.")
    if info and bmc is None and name is None:
        raise click.UsageError("--driver-info is for --bmc or --node.")
    if bmc is not None:
        findings = list(bmc_looked_at(_where(bmc) | info, tries_login="ipmi_username" in info))
    elif name is not None:
        findings = list(_node(name, info, given))
    else:
        findings = list(looked_at(config, settings, given))
    show(findings, as_json=given.is_json)
    return Exit.SEVERAL if any(one.verdict is Verdict.PROBLEM for one in findings) else Exit.OK


def _where(text: str) -> dict[str, Any]:
    """Read HOST, HOST:PORT, or an IPv6 address, in brackets where a port follows."""
    host, separator, port = text.rpartition(":")
    if separator and port.isdecimal() and (":" not in host or host.endswith("]")):
        return {"ipmi_address": host, "ipmi_port": int(port)}
    return {"ipmi_address": text}


def _node(name: str, info: Mapping[str, Any], given: Shared) -> Iterator[Finding]:
    with connect(given) as client:
        view = client.nodes.show(name)
        yield ok("node", f"{view.name}, driver {view.driver}, power {view.power_state or 'unknown'}")
        if view.fault is not None or view.last_error is not None:
            told = f"fault {view.fault}: {view.last_error}" if view.fault else str(view.last_error)
            yield warning("node", told, f"`castiron node explain {view.name}` says more.")
        if view.driver == "ipmi":
            known = {key: value for key, value in view.driver_info.items() if value != MASK}
            yield from bmc_looked_at(known | dict(info), tries_login="ipmi_password" in info)
        try:
            request = client.nodes.boot_device(view.uuid)
            done = request.wait(timeout_s=given.timeout_s or ASKED_S)
            done.raise_for_error()
        except CastironError as error:
            yield problem("conductor", f"its look at the BMC failed: {error_text(error)}")
        else:
            yield ok(
                "conductor", f"its own login works: boot device {(done.result or {}).get('boot_device') or 'unknown'}"
            )
