"""Records to fill stores with: plain ones, and one of each with every field set."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from castiron.store.records import (
    AllocationRecord,
    CallbackRecord,
    Change,
    EventDraft,
    NodeAlarm,
    NodeInsert,
    NodeLock,
    NodeRecord,
    NodeUpdate,
    RequestRecord,
    RunbookRecord,
    TraceEntry,
)
from castiron.transport.vocabulary import (
    AlarmState,
    AllocationState,
    AllocationUUID,
    Applied,
    ConductorID,
    DeliveryID,
    EventSeq,
    EventType,
    Fault,
    Instant,
    NodeName,
    NodeSeq,
    NodeUUID,
    OnRestart,
    Policy,
    PowerState,
    ProvisionState,
    RequestID,
    RequestState,
    Revision,
    RunbookUUID,
    TraceWord,
)

OWNER = ConductorID("00000000-0000-4000-8000-00000000c0de")
PASSWORD = "correct-horse-battery-staple"
"""The secret that must be found nowhere."""


def counting_ids() -> Callable[[], str]:
    """Ids in the form of a UUID, the same in each run."""
    numbers = count(1)
    return lambda: f"00000000-0000-4000-8000-{next(numbers):012d}"


def node_uuid(number: int) -> NodeUUID:
    return NodeUUID(f"11111111-0000-4000-8000-{number:012d}")


def request_id(number: int) -> RequestID:
    return RequestID(f"22222222-0000-4000-8000-{number:012d}")


def allocation_uuid(number: int) -> AllocationUUID:
    return AllocationUUID(f"33333333-0000-4000-8000-{number:012d}")


def plain_node(number: int = 1, **changes: Any) -> NodeRecord:
    record = NodeRecord(
        uuid=node_uuid(number),
        name=NodeName(f"n{number}"),
        driver="ipmi",
        driver_info={"ipmi_address": "127.0.0.1", "ipmi_password": PASSWORD},
        secret_keys=frozenset({"ipmi_password"}),
        created_at=Instant(1000.5),
        updated_at=Instant(1000.5),
        owner=OWNER,
    )
    return replace(record, **changes)


def full_node(number: int = 1) -> NodeRecord:
    return plain_node(
        number,
        driver_info={"ipmi_address": "127.0.0.1", "ipmi_port": 623, "ipmi_password": PASSWORD, "ipmi_k_g": None},
        secret_keys=frozenset({"ipmi_password", "ipmi_k_g", "not_there"}),
        bmc_address="127.0.0.1:623",
        properties={"cpus": 2**80, "memory": 0.1, "nested": {"list": [1, None, True, {"x": -0.5}]}},
        extra={"bytes": b"\0\xff", "$bytes": "not really", "deep": {7: "seven", b"k": [], "": {}}, "é": "\ud800"},
        power_state=PowerState.ON,
        power_state_at=Instant(1700000000.123456),
        target_power_state=PowerState.OFF,
        target_provision_state=ProvisionState.ENROLL,
        maintenance=True,
        maintenance_reason="fan\nbroken",
        fault=Fault.POWER_FAILURE,
        last_error="",
        power_state_change_timeout_s=0.1,
        soft_power_off_timeout_s=600.0,
        power_check_interval_s=0.0,
        epoch=3,
        node_seq=NodeSeq(0),
        protected=True,
        protected_reason="a database",
        retired=True,
        retired_reason="fan\nbroken",
        disable_power_off=True,
        resource_class="baremetal",
        traits=("CUSTOM_RACK_7", "HW_CPU_X86_VMX"),
        lock=NodeLock(owner="curve:ann", reason=None, since=Instant(1700000000.25)),
        other_passwords={"candidate": "n3w-secret"},
        allocation_uuid=allocation_uuid(number),
        sensor_data_interval_s=600.5,
        alarms={
            "hot": NodeAlarm(state=AlarmState.ALARM, since=Instant(1700000000.75), sensor="CPU \u00e9", value=93.5),
            "fan": NodeAlarm(state=AlarmState.INSUFFICIENT_DATA, since=Instant(1.0)),
        },
    )


def plain_allocation(number: int = 1, **changes: Any) -> AllocationRecord:
    record = AllocationRecord(
        uuid=allocation_uuid(number),
        resource_class="baremetal",
        owner="ipc:uid=7",
        requester="ipc:uid=7 (castiron)",
        created_at=Instant(4000.0 + number),
        updated_at=Instant(4000.0 + number),
    )
    return replace(record, **changes)


def full_allocation(number: int = 1) -> AllocationRecord:
    return plain_allocation(
        number,
        name=f"a{number}",
        state=AllocationState.ACTIVE,
        traits=("CUSTOM_RACK_7", "HW_CPU_X86_VMX"),
        candidate_nodes=(node_uuid(1), node_uuid(2)),
        extra={"bytes": b"\0\xff", "deep": {"é": "\ud800", "n": [1, None]}},
        node_uuid=node_uuid(number),
        error={"code": "allocation.failed", "details": {"matched": {"resource_class": 3}}},
        deadline_at=Instant(9000.25),
        revision=Revision(1),
    )


def full_callback(number: int = 1, **changes: Any) -> CallbackRecord:
    record = CallbackRecord(
        id=DeliveryID(f"{request_id(number)}.1"),
        request_id=request_id(number),
        url="https://a.example/hooks?token=hush",
        owed_since=Instant(2002.5),
        body={"result": {"deep": [1, None, b"\xff"]}, "node": "é\ud800"},
        attempts=3,
        seq=EventSeq(0),
    )
    return replace(record, **changes)


def plain_request(number: int = 1, **changes: Any) -> RequestRecord:
    record = RequestRecord(
        id=request_id(number),
        node_uuid=node_uuid(1),
        node_name=NodeName("n1"),
        verb="node.power.set",
        arguments={"target": "power on"},
        requester="ipc",
        state=RequestState.ACCEPTED,
        accepted_at=Instant(2000.0 + number),
    )
    return replace(record, **changes)


def full_request(number: int = 1) -> RequestRecord:
    return plain_request(
        number,
        key="once",
        arguments={"target": "power on", "token": PASSWORD, "count": 3},
        secret_keys=frozenset({"token"}),
        state=RequestState.FAILED,
        started_at=Instant(2001.25),
        ended_at=Instant(2002.5),
        overdue_at=Instant(2060.0),
        attempts=2,
        progress={"place": ["off", 1]},
        result={},
        error={"code": "bmc.fault", "details": {"completion_code": 0xC1}},
        applied=Applied.UNKNOWN,
        policy=Policy.AFTER,
        hold=True,
        on_restart=OnRestart.FAIL,
        deadline_at=Instant(2050.5),
        depends_on=request_id(77),
        requesters={"ipc": None, "tcp:127.0.0.1": Instant(2050.5)},
        merged=2,
        abort_by="ipc",
        callbacks={
            "https://a.example/hooks?token=hush": ("ipc:uid=7", "é"),
            "https://b.example/é\ud800": ("ipc:uid=8",),
        },
        trace=(
            TraceEntry(word=TraceWord.ACCEPTED, at=Instant(2001.0), details={"requester": "ipc", "policy": "after"}),
            TraceEntry(word=TraceWord.EXCHANGE, at=Instant(2001.25), until=Instant(2001.5), count=3),
        ),
        runbook="CUSTOM_BOOK_1",
    )


def full_runbook(number: int = 1, **changes: Any) -> RunbookRecord:
    steps = (
        {"step": "power_off", "order": 1},
        {"interface": "bios", "step": "set_password", "args": {"profile": "é\ud800"}, "after": ["power_off"]},
    )
    record = RunbookRecord(
        uuid=RunbookUUID(f"00000000-0000-4000-b000-{number:012}"),
        name=f"CUSTOM_BOOK_{number}",
        description="what it is for",
        traits=("CUSTOM_A", "CUSTOM_B"),
        steps=steps,
        secrets={"1": {"password": PASSWORD}},
        extra={"owner": "ops", "$bytes": b"x"},
        created_at=Instant(1000.0),
        updated_at=Instant(1001.5),
    )
    return replace(record, **changes)


def event_of(node: NodeRecord, event_type: EventType = EventType.NODE_UPDATE_END) -> EventDraft:
    return EventDraft(
        type=event_type, at=Instant(3000.0), node_uuid=node.uuid, node_name=node.name, payload={"name": node.name}
    )


def creation(node: NodeRecord, *requests: RequestRecord) -> Change:
    """A new node that tells about itself."""
    told = replace(node, node_seq=NodeSeq(1))
    return Change(node=NodeInsert(record=told), requests=requests, events=(event_of(told, EventType.NODE_CREATE_END),))


def successor(node: NodeRecord, *, events: int = 1, **changes: Any) -> NodeRecord:
    """The record after the next change, which tells `events` events."""
    return replace(node, revision=Revision(node.revision + 1), node_seq=NodeSeq(node.node_seq + events), **changes)


def update(node: NodeRecord, *requests: RequestRecord, events: int = 1) -> Change:
    """The change that makes `node`, a successor, so."""
    return Change(node=NodeUpdate(record=node), requests=requests, events=tuple(event_of(node) for _ in range(events)))
