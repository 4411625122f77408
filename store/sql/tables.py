"""The tables as peewee sees them: what reads are made of.

Only models live here. How the tables came to be is in migrations, how records become rows is in rows, and both follow
the order of the fields below; a test compares all three. No model is bound to a database: two stores can be open in one
process, and each query says which one it asks.
"""

from peewee import BigIntegerField, BooleanField, DoubleField, Model, TextField


class StoreInfo(Model):
    """One row: what this file is, and whose."""

    format = TextField(primary_key=True)
    schema_version = BigIntegerField()
    conductor = TextField()
    key_id = TextField()
    """The key that every secret in this store is encrypted with."""
    key_check = TextField()
    """The conductor's id, encrypted: opens only with the right key."""

    class Meta:  # noqa: D106 - where peewee looks for the name
        table_name = "store"


class Node(Model):
    """records.NodeRecord; `driver_secrets` holds, encrypted, what `driver_info` leaves out.

    `other_passwords` is encrypted whole.
    """

    uuid = TextField(primary_key=True)
    name = TextField(unique=True)
    driver = TextField()
    driver_info = TextField()
    driver_secrets = TextField(null=True)
    secret_keys = TextField()
    bmc_address = TextField(null=True)
    properties = TextField()
    extra = TextField()
    power_state = TextField(null=True)
    power_state_at = DoubleField(null=True)
    target_power_state = TextField(null=True)
    provision_state = TextField()
    target_provision_state = TextField(null=True)
    maintenance = BooleanField()
    maintenance_reason = TextField(null=True)
    fault = TextField(null=True)
    last_error = TextField(null=True)
    power_state_change_timeout_s = DoubleField(null=True)
    soft_power_off_timeout_s = DoubleField(null=True)
    created_at = DoubleField()
    updated_at = DoubleField()
    owner = TextField()
    epoch = BigIntegerField()
    revision = BigIntegerField()
    node_seq = BigIntegerField()
    power_check_interval_s = DoubleField(null=True)
    protected = BooleanField()
    protected_reason = TextField(null=True)
    retired = BooleanField()
    retired_reason = TextField(null=True)
    disable_power_off = BooleanField()
    resource_class = TextField(null=True)
    traits = TextField()
    lock = TextField(null=True)
    other_passwords = TextField(null=True)
    allocation_uuid = TextField(null=True)
    sensor_data_interval_s = DoubleField(null=True)
    alarms = TextField()

    class Meta:  # noqa: D106 - where peewee looks for the name
        table_name = "nodes"


class Allocation(Model):
    """records.AllocationRecord."""

    uuid = TextField(primary_key=True)
    name = TextField(null=True, unique=True)
    state = TextField()
    resource_class = TextField()
    traits = TextField()
    candidate_nodes = TextField()
    owner = TextField()
    requester = TextField()
    extra = TextField()
    node_uuid = TextField(null=True, unique=True)
    error = TextField(null=True)
    deadline_at = DoubleField(null=True)
    created_at = DoubleField()
    updated_at = DoubleField()
    revision = BigIntegerField()

    class Meta:  # noqa: D106 - where peewee looks for the name
        table_name = "allocations"


class Request(Model):
    """records.RequestRecord; `argument_secrets` holds, encrypted, what `arguments` leaves out."""

    id = TextField(primary_key=True)
    key = TextField(null=True)
    node_uuid = TextField()
    node_name = TextField()
    verb = TextField()
    arguments = TextField()
    argument_secrets = TextField(null=True)
    secret_keys = TextField()
    requester = TextField()
    state = TextField()
    accepted_at = DoubleField()
    started_at = DoubleField(null=True)
    ended_at = DoubleField(null=True)
    overdue_at = DoubleField(null=True)
    attempts = BigIntegerField()
    progress = TextField()
    result = TextField(null=True)
    error = TextField(null=True)
    applied = TextField(null=True)
    policy = TextField()
    hold = BooleanField()
    on_restart = TextField()
    deadline_at = DoubleField(null=True)
    depends_on = TextField(null=True)
    requesters = TextField()
    merged = BigIntegerField()
    abort_by = TextField(null=True)
    callbacks = TextField()
    trace = TextField()
    error_code = TextField(null=True)
    identity = TextField()
    """Of `requester`, without what the peer called itself."""
    runbook = TextField(null=True)

    class Meta:  # noqa: D106 - where peewee looks for the name
        table_name = "requests"


class RequestKey(Model):
    """records.KeyRecord."""

    key = TextField(primary_key=True)
    request_id = TextField()

    class Meta:  # noqa: D106 - where peewee looks for the name
        table_name = "request_keys"


class Callback(Model):
    """records.CallbackRecord."""

    id = TextField(primary_key=True)
    request_id = TextField()
    url = TextField()
    owed_since = DoubleField()
    body = TextField()
    attempts = BigIntegerField()
    seq = BigIntegerField()
    trace = TextField()
    ended_at = DoubleField(null=True)

    class Meta:  # noqa: D106 - where peewee looks for the name
        table_name = "outbox"


class Runbook(Model):
    """records.RunbookRecord; `step_secrets` holds, encrypted, its `secrets`."""

    uuid = TextField(primary_key=True)
    name = TextField(unique=True)
    description = TextField(null=True)
    traits = TextField()
    steps = TextField()
    step_secrets = TextField(null=True)
    extra = TextField()
    created_at = DoubleField()
    updated_at = DoubleField()
    revision = BigIntegerField()

    class Meta:  # noqa: D106 - where peewee looks for the name
        table_name = "runbooks"


class _Happening(Model):
    """records.EventRecord, flat."""

    seq = BigIntegerField(primary_key=True)
    node_seq = BigIntegerField(null=True)
    type = TextField()
    at = DoubleField()
    node_uuid = TextField(null=True)
    node_name = TextField(null=True)
    request_id = TextField(null=True)
    payload = TextField()


class Event(_Happening):
    """An event in the ring: it can be replayed."""

    class Meta:  # noqa: D106 - where peewee looks for the name
        table_name = "events"


class HistoryEvent(_Happening):
    """An event that has left the ring, kept because it is among the latest of its node."""

    class Meta:  # noqa: D106 - where peewee looks for the name
        table_name = "node_history"
