"""Where metrics may be read: on this machine, unless somebody says that others may. Pure."""

from importlib.util import find_spec
from ipaddress import ip_address

from castiron.actors.settings.values import SettingInvalid


def check_prometheus(port: int, address: str, *, allow_remote: bool) -> None:
    """Check the settings of the metrics' endpoint, whether it is on or off.

    Raises:
        SettingInvalid: `address` is none, or others than this machine reach it and nobody has allowed that; or the
            endpoint is on, and the library is missing.
    """
    try:
        is_loopback = ip_address(address).is_loopback
    except ValueError:
        raise SettingInvalid(f"prometheus_address: {address!r} is no IP address, as 127.0.0.1 is.") from None
    if not (is_loopback or allow_remote):
        raise SettingInvalid(
            f"prometheus_address: others than this machine may reach {address}, and whoever does may read all metrics. "
            "Take 127.0.0.1, or set prometheus_allow_remote=true as well."
        )
    if port and find_spec("prometheus_client") is None:
        raise SettingInvalid(
            "prometheus_port: prometheus-client is not installed here: `pip install castiron[prometheus]`, "
            "or leave it 0."
        )
