"""What concerns more than one node: which names and BMC addresses are taken, and who may come in or change them.

The index is what the fleet's actor knows of all nodes; the functions below judge against it and change nothing. One
node's own matters (is it busy, is the revision right) are its actor's to decide, not the fleet's.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from castiron.actors.core.messages import Amendment
from castiron.actors.core.requests.guarding import unfounded
from castiron.actors.drivers.base import DriverInfo
from castiron.store.records import NodeRecord
from castiron.transport.errors import ArgumentInvalid, BMCAddressTaken, NodeExists, NodeLocked
from castiron.transport.replies import MASK
from castiron.transport.verbs import NodeCreate, NodeSet, to_map
from castiron.transport.vocabulary import ConductorID, Instant, NodeName, NodeUUID

UUID_LIKE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""What no node may be called, as in Ironic: it could be another node's uuid, and nodes are found by either."""

PLAIN: Final = (
    "power_state_change_timeout_s",
    "soft_power_off_timeout_s",
    "power_check_interval_s",
    "sensor_data_interval_s",
    "resource_class",
    "disable_power_off",
    "protected",
    "protected_reason",
    "retired",
    "retired_reason",
)
"""Attributes that are replaced, not merged."""

FREE: Final = ("properties", "extra")
"""Attributes that are merged, and hold what their users like."""

MAX_FREE_BYTES: Final = 65_536
"""What those of one node may take as JSON: as much as the largest message could bring at once. A page of 1,000 nodes
still fits into the largest reply."""


class Checker(Protocol):
    """What the fleet needs of a driver."""

    def check(self, driver_info: Mapping[str, Any]) -> DriverInfo:
        """Check a node's driver_info whole; see drivers.base.Driver."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """What of a node must not collide with another's."""

    name: NodeName
    bmc_address: str | None


class FleetIndex:
    """Names and BMC addresses in use, or about to be. O(1), or O(nodes at an address) to change. One actor's own."""

    def __init__(self) -> None:
        self._identities: dict[NodeUUID, Identity] = {}
        self._names: dict[NodeName, NodeUUID] = {}
        self._addresses: dict[str, tuple[NodeUUID, ...]] = {}
        self._pending: dict[NodeUUID, Identity] = {}

    def __len__(self) -> int:
        return len(self._identities)

    def owner_of_name(self, name: NodeName) -> NodeUUID | None:
        """Return the node that has the name, None if it is free."""
        return self._names.get(name)

    def owner_of_address(self, address: str) -> NodeUUID | None:
        """Return a node that has the BMC address, the one that has had it longest; None if it is free."""
        return next(iter(self._addresses.get(address, ())), None)

    def name_of(self, uuid: NodeUUID) -> NodeName | None:
        """Return the node's name, None if there is no such node."""
        identity = self._identities.get(uuid)
        return None if identity is None else identity.name

    def is_changing(self, uuid: NodeUUID) -> bool:
        """Return whether a change of the node's identity is under way."""
        return uuid in self._pending

    def add(self, uuid: NodeUUID, identity: Identity) -> None:
        """Take a name and an address."""
        self._identities[uuid] = identity
        self._claim(uuid, identity)

    def drop(self, uuid: NodeUUID) -> None:
        """Free what the node had, and what it was about to have. Idempotent."""
        for identity in (self._identities.pop(uuid, None), self._pending.pop(uuid, None)):
            if identity is not None:
                self._free(uuid, identity)

    def reserve(self, uuid: NodeUUID, identity: Identity) -> None:
        """Take a name and an address that the node is about to have, beside those that it has."""
        self._pending[uuid] = identity
        self._claim(uuid, identity)

    def settle(self, uuid: NodeUUID, *, applied: bool) -> None:
        """End a reservation: the node has what it was about to have, or keeps what it had."""
        new = self._pending.pop(uuid, None)
        old = self._identities.get(uuid)
        if new is None or old is None:
            return
        kept, gone = (new, old) if applied else (old, new)
        self._free(uuid, gone)
        self._claim(uuid, kept)
        self._identities[uuid] = kept

    def _claim(self, uuid: NodeUUID, identity: Identity) -> None:
        self._names[identity.name] = uuid
        if identity.bmc_address is not None:
            holders = self._addresses.get(identity.bmc_address, ())
            if uuid not in holders:
                self._addresses[identity.bmc_address] = (*holders, uuid)

    def _free(self, uuid: NodeUUID, identity: Identity) -> None:
        if self._names.get(identity.name) == uuid:
            del self._names[identity.name]
        if identity.bmc_address is not None:
            holders = tuple(one for one in self._addresses.pop(identity.bmc_address, ()) if one != uuid)
            if holders:
                self._addresses[identity.bmc_address] = holders


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """Ids and circumstances of a node that is about to be made."""

    uuid: NodeUUID
    owner: ConductorID
    now: Instant


def judge_create(index: FleetIndex, verb: NodeCreate, newcomer: Newcomer, drivers: Mapping[str, Checker]) -> NodeRecord:
    """Return the record of a new node.

    Raises:
        ArgumentInvalid: unknown driver, driver_info that it refuses, or a name that looks like a uuid.
        NodeExists, BMCAddressTaken: the name, or the address unless forced, belongs to another node.
    """
    info = _checked(_driver(drivers, verb.driver), _merged({}, verb.driver_info))
    identity = Identity(NodeName(verb.name), info.bmc_address)
    _judge_identity(index, newcomer.uuid, identity, force=verb.force)
    record = NodeRecord(
        uuid=newcomer.uuid,
        name=identity.name,
        driver=verb.driver,
        driver_info=info.info,
        secret_keys=info.secret_keys,
        bmc_address=info.bmc_address,
        properties=verb.properties,
        extra=verb.extra,
        power_state_change_timeout_s=verb.power_state_change_timeout_s,
        soft_power_off_timeout_s=verb.soft_power_off_timeout_s,
        power_check_interval_s=verb.power_check_interval_s,
        sensor_data_interval_s=verb.sensor_data_interval_s,
        created_at=newcomer.now,
        updated_at=newcomer.now,
        owner=newcomer.owner,
        resource_class=verb.resource_class,
        traits=_ordered(verb.traits),
        disable_power_off=verb.disable_power_off,
        retired=verb.retired,
        retired_reason=verb.retired_reason,
    )
    wrong = unfounded(record)
    if wrong is not None:
        raise wrong
    return record


def judge_set(
    index: FleetIndex, verb: NodeSet, record: NodeRecord, drivers: Mapping[str, Checker]
) -> tuple[Amendment, Identity]:
    """Return what is to change, and the identity that the node would then have.

    Args:
        record: the node as it was committed last.

    Raises:
        ArgumentInvalid, NodeExists, BMCAddressTaken: as `judge_create`.
        NodeLocked: another change of the node's identity is not finished.
    """
    if index.is_changing(record.uuid):
        raise NodeLocked(
            f"{record.name}: another change of this node is not finished. Try again.",
            details={"node": record.name, "request": None, "verb": "node.set", "age_s": None, "requester": None},
        )
    given = to_map(verb)
    driver_info = _new_driver_info(given, record, drivers)
    name = NodeName(given.get("name", record.name))
    identity = Identity(name, record.bmc_address if driver_info is None else driver_info.bmc_address)
    has_it = identity.bmc_address == record.bmc_address  # what was forced once need not be forced again
    _judge_identity(index, record.uuid, identity, force=verb.force or has_it)
    driver = given.get("driver", record.driver)
    merged = [name for name in FREE if name in given] + (["driver_info"] if driver_info is not None else [])
    amendment = Amendment(
        name=name if name != record.name else None,
        driver=driver if driver != record.driver else None,
        driver_info=driver_info,
        attributes=_new_attributes(given, record),
        merged_into={name: getattr(record, name) for name in merged},
    )
    return amendment, identity


def _driver(drivers: Mapping[str, Checker], name: str) -> Checker:
    driver = drivers.get(name)
    if driver is None:
        raise ArgumentInvalid(
            f"There is no driver {name!r}. There are: {', '.join(sorted(drivers))}.", details={"path": "$.driver"}
        )
    return driver


def _checked(driver: Checker, info: Mapping[str, Any]) -> DriverInfo:
    """Let the driver check its information, and refuse what would store a mask in place of a secret."""
    checked = driver.check(info)
    for key in sorted(checked.secret_keys):
        if checked.info.get(key) == MASK:
            raise ArgumentInvalid(
                f"{key}: {MASK} stands for a secret that is stored, and none is. Give the secret itself.",
                details={"path": f"$.driver_info.{key}"},
            )
    return checked


def _judge_identity(index: FleetIndex, uuid: NodeUUID, identity: Identity, *, force: bool) -> None:
    holder = index.owner_of_name(identity.name)
    if holder != uuid and UUID_LIKE.fullmatch(identity.name):
        raise ArgumentInvalid(
            f"A node cannot be called {identity.name}: it looks like a uuid. Choose another name.",
            details={"path": "$.name"},
        )
    if holder is not None and holder != uuid:
        raise NodeExists(
            f"Another node is called {identity.name}. Choose another name.",
            details={"name": identity.name, "uuid": holder},
        )
    address = identity.bmc_address
    holder = None if address is None else index.owner_of_address(address)
    if holder is not None and holder != uuid and not force:
        other = index.name_of(holder)
        raise BMCAddressTaken(
            f"Node {other} has the BMC address {address} already; two nodes would fight over one machine. "
            "Correct the address, or force it if you mean it.",
            details={"address": address, "node": other, "uuid": holder},
        )


def _new_driver_info(given: Mapping[str, Any], record: NodeRecord, drivers: Mapping[str, Checker]) -> DriverInfo | None:
    if "driver_info" not in given and "driver" not in given:
        return None
    driver = _driver(drivers, given.get("driver", record.driver))
    # A masked value is what a client was shown; sent back, it means "as it is".
    sent = {
        key: value
        for key, value in given.get("driver_info", {}).items()
        if value != MASK or key not in record.secret_keys
    }
    return _checked(driver, _merged(record.driver_info, sent))


def _new_attributes(given: Mapping[str, Any], record: NodeRecord) -> dict[str, Any]:
    attributes: dict[str, Any] = {key: given[key] for key in PLAIN if key in given}
    if "traits" in given:
        attributes["traits"] = _ordered(given["traits"])
    before: dict[str, Any] = {name: getattr(record, name) for name in FREE}
    free = {name: _merged(before[name], given[name]) for name in FREE if name in given}
    if free:
        _judge_size(before, free)
    return attributes | free


def _ordered(traits: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(traits)))


def _judge_size(before: dict[str, Any], free: dict[str, Any]) -> None:
    """Refuse what many small changes would make of a node; what makes it smaller is welcome."""
    size = _size_bytes(before | free)
    if size > MAX_FREE_BYTES and size > _size_bytes(before):
        raise ArgumentInvalid(
            f"properties and extra would take {size} bytes; the limit is {MAX_FREE_BYTES}. Remove something first.",
            details={"path": f"$.{next(iter(free))}"},
        )


def _size_bytes(free: dict[str, Any]) -> int:
    return len(json.dumps({name: dict(value) for name, value in free.items()}, ensure_ascii=False).encode())


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**old, **new}.items() if value is not None}
