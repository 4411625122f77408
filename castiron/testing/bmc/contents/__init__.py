"""What a simulated BMC keeps beside its machine: inventory, sensors, event log, users. Bytes and state only."""
