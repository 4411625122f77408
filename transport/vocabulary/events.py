"""What an event can tell."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple


class EventType(StrEnum):
    """What an event tells, in the past tense of Ironic's notifications: object, action, status."""

    NODE_CREATE_END = "node.create.end"
    """A node is known from now on."""
    NODE_UPDATE_END = "node.update.end"
    """A node's attributes were changed."""
    NODE_DELETE_END = "node.delete.end"
    """A node is no longer known."""
    POWER_SET_START = "node.power_set.start"
    """A power action has begun; the machine may be touched from now on."""
    POWER_SET_END = "node.power_set.end"
    """A power action succeeded."""
    POWER_SET_ERROR = "node.power_set.error"
    """A power action failed."""
    POWER_STATE_CORRECTED = "node.power_state_corrected.success"
    """The machine was seen in another power state than the one on record."""
    BOOT_DEVICE_SET_START = "node.boot_device_set.start"
    """A change of the boot device has begun."""
    BOOT_DEVICE_SET_END = "node.boot_device_set.end"
    """The boot device was changed."""
    BOOT_DEVICE_SET_ERROR = "node.boot_device_set.error"
    """The boot device could not be changed."""
    PROVISION_SET_START = "node.provision_set.start"
    """A node has left a state, and work on it has begun."""
    PROVISION_SET_SUCCESS = "node.provision_set.success"
    """It has moved on, and the work goes on."""
    PROVISION_SET_END = "node.provision_set.end"
    """The work succeeded."""
    PROVISION_SET_ERROR = "node.provision_set.error"
    """The work failed, or was aborted."""
    STEP_START = "node.step.start"
    """A step has begun; the machine may be touched from now on."""
    STEP_PROGRESS = "node.step.progress"
    """Whoever carries out a step has told how far it is."""
    STEP_END = "node.step.end"
    """A step succeeded."""
    STEP_ERROR = "node.step.error"
    """A step failed."""
    MAINTENANCE_SET_END = "node.maintenance_set.end"
    """A node was put into maintenance, or taken out of it."""
    LOCK_SET_END = "node.lock_set.end"
    """Somebody keeps a node to themselves from now on, or does not any more."""
    ALLOCATION_CREATE_START = "allocation.create.start"
    """Somebody wants a node, and it is looked for. It is of no node."""
    ALLOCATION_CREATE_END = "allocation.create.end"
    """It was found: the node is held for them from now on."""
    ALLOCATION_CREATE_ERROR = "allocation.create.error"
    """It was not, or is wanted no more. It is of no node."""
    ALLOCATION_UPDATE_END = "allocation.update.end"
    """An allocation's name or extra was changed. It is of no node, also where the allocation has one."""
    ALLOCATION_DELETE_END = "allocation.delete.end"
    """An allocation is no longer known; the node that it had, if any, is held for nobody."""
    REQUEST_END = "node.request.end"
    """A request ended that had not started: the machine was not touched by it."""
    WEBHOOK_ERROR = "request.webhook.error"
    """A request has ended, and one of those who were to be called back was not reached: nobody will try again."""
    NODE_FAULT_SET = "node.fault_set.success"
    """The conductor put the node aside."""
    NODE_FAULT_CLEARED = "node.fault_cleared.success"
    """The reason is gone, and the node is taken back."""
    RUNBOOK_CREATE_END = "runbook.create.end"
    """A runbook is stored from now on. Events of runbooks are of no node."""
    RUNBOOK_UPDATE_END = "runbook.update.end"
    """A runbook was changed; requests that were accepted with it are not."""
    RUNBOOK_DELETE_END = "runbook.delete.end"
    """A runbook is no longer stored; requests that were accepted with it go on."""
    SENSOR_ALARM_OK = "sensor.alarm.ok"
    """A sensor's reading is within an alarm rule's bounds again."""
    SENSOR_ALARM_ALARM = "sensor.alarm.alarm"
    """A sensor's reading is beyond an alarm rule's bounds."""
    SENSOR_ALARM_INSUFFICIENT_DATA = "sensor.alarm.insufficient_data"
    """What an alarm rule asks for cannot be read any more."""
    LIMIT_WARNING = "conductor.limit.warning"
    """A bound of the conductor's is met to four fifths or more. It is of no node."""
    LIMIT_CLEARED = "conductor.limit.cleared"
    """It is met to less than seven tenths again. It is of no node."""


class Announced(NamedTuple):
    """The events that tell of a request's life: the first once, and then exactly one of the others."""

    start: EventType
    end: EventType
    error: EventType


ANNOUNCED: Final[Mapping[str, Announced]] = MappingProxyType(
    {
        "node.power.set": Announced(EventType.POWER_SET_START, EventType.POWER_SET_END, EventType.POWER_SET_ERROR),
        "node.boot_device.set": Announced(
            EventType.BOOT_DEVICE_SET_START, EventType.BOOT_DEVICE_SET_END, EventType.BOOT_DEVICE_SET_ERROR
        ),
    }
)
"""Verbs whose requests tell their start and their end themselves; those that change nothing do not, and those that work
through steps tell of these."""
