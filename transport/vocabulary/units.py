"""Identities, counters and units: names for plain values, so that one is not taken for another."""

import re
from typing import Final, NewType

NodeUUID = NewType("NodeUUID", str)
"""A node's identity, RFC 9562 form, lower case; never changes and is never used again."""

UUID_FORM: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z")
"""What a uuid looks like. A node may have a name of this form; the name goes first where both could be meant."""

NodeName = NewType("NodeName", str)
"""A node's name, unique among the nodes there are; may be changed."""

RequestID = NewType("RequestID", str)
"""A request's identity, RFC 9562 form, lower case."""

RunbookUUID = NewType("RunbookUUID", str)
"""A runbook's identity, RFC 9562 form, lower case; never changes and is never used again."""

DeliveryID = NewType("DeliveryID", str)
"""A webhook's identity: the same in each attempt to deliver it, over restarts, too."""

ConductorID = NewType("ConductorID", str)
"""A conductor's identity: given when its store is made, kept across restarts."""

AllocationUUID = NewType("AllocationUUID", str)
"""An allocation's identity, RFC 9562 form, lower case; as `instance_uuid` it names, too, what is on its node."""

Seconds = NewType("Seconds", float)
"""A length of time in seconds."""

Instant = NewType("Instant", float)
"""A moment: seconds since 1970-01-01 UTC, never going backwards within one process (see Clock.now)."""

Revision = NewType("Revision", int)
"""Counts the committed changes of one node; the compare-and-set token of updates. The first is 1."""

EventSeq = NewType("EventSeq", int)
"""Counts all events of one conductor, from 1, without a gap."""

NodeSeq = NewType("NodeSeq", int)
"""Counts the events of one node, from 1, without a gap."""
