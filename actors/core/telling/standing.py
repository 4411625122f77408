"""What a node is guarded against, and by whom, for whoever asks why it is not doing something. Pure.

May come in: another thing that stands on a node's record and refuses. Must not: what is refused by it, which is a table
(`requests.guards`).
"""

from collections.abc import Iterator

from castiron.actors.core.machines.password import CANDIDATE
from castiron.actors.drivers.operations import CREDENTIALS, NO_CREDENTIALS
from castiron.store.records import NodeRecord
from castiron.transport.replies import Finding


def guards(record: NodeRecord) -> Iterator[Finding]:
    """Yield a finding for each guard that stands."""
    name, lock = record.name, record.lock
    if lock is not None:
        yield Finding(
            code="node.locked",
            text=f"It is locked by {lock.owner}: {lock.reason or 'no reason given'}. Nobody else changes it.",
            since=lock.since,
            advice=f"Ask them, or have an admin take the lock away: `castiron node lock unset {name} --force`.",
            details={"owner": lock.owner, "reason": lock.reason},
        )
    if record.protected:
        yield Finding(
            code="node.protected",
            text=f"It is protected: {record.protected_reason or 'no reason given'}. It is not undeployed, rebuilt or "
            "deleted.",
            advice=f"`castiron node set {name} --no-protected` ends that.",
            details={"reason": record.protected_reason},
        )
    if record.retired:
        yield Finding(
            code="node.retired",
            text=f"It is retired: {record.retired_reason or 'no reason given'}. It is offered to nobody any more.",
            advice=f"`castiron node set {name} --no-retired` ends that.",
            details={"reason": record.retired_reason},
        )
    if record.disable_power_off:
        yield Finding(
            code="node.stays_on",
            text="Its machine must not be powered off, not even for a reboot.",
            advice=f"`castiron node set {name} --no-disable-power-off` allows it.",
        )


def passwords(record: NodeRecord) -> Iterator[Finding]:
    """Yield a finding if it is not known which of two passwords lets in."""
    key = CREDENTIALS.get(record.driver, NO_CREDENTIALS).password
    if CANDIDATE in record.other_passwords:
        yield Finding(
            code="node.two_passwords",
            text="A change of its BMC's password was cut short: two are kept, and which one lets in is not known.",
            advice=f"`castiron node set {record.name} --driver-info {key}=-` with the right one settles it; so does "
            "the step management.change_bmc_password, which tries both.",
        )
