"""Redfish over HTTPS: the first driver whose calls block, each on a thread of a bulkhead, and no BMC waits for another.

    driver.py     the Driver: any thread in, outcomes out; which lane a call goes to; generations; stop
    lane.py       one BMC's calls: order, deadlines, who gives way, what an end of the work means
    wire/         certificates, one connection, one session, what a refusal means; bounded in time and size
    operations/   what is said to a BMC for each operation, and what its answers mean
    settings.py   driver_info          resources.py  reading what a BMC tells
    counters.py   what `status` shows

Only wire/ meets the network, and only on threads of the bulkhead; driver.py, lane.py and turns.py never block.
"""

from castiron.actors.drivers.redfish.driver import RedfishDriver

__all__ = ["RedfishDriver"]
