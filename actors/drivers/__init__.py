"""How BMCs are spoken to: one driver for each kind, all under the contract of `base`.

Drivers never decide what a machine should do, never touch the store, and never call back into a state machine: they
take a call with a deadline and give back one outcome.
"""
