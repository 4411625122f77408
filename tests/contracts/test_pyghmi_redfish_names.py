"""The names of pyghmi's Redfish that the driver leans on, private ones too.

If one of these fails, read operations/sensors.py and operations/system.py of the driver before pinning anew.
"""

import ast
import inspect
import textwrap
from typing import Any

import pytest
from pyghmi.redfish import command
from pyghmi.redfish.oem import lookup

from castiron.actors.drivers.redfish.operations.sensors import Machine, Web

Stock: Any = command.Command
Lookup: Any = lookup


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("_do_web_request", ["self", "url", "payload", "method", "cache", "etag"]),
        ("_extract_reading", ["self", "sensor", "reading"]),
        ("_mapchassissensors", ["self", "chassis"]),
    ],
)
def test_pyghmi_has_the_methods_in_the_shape_that_we_know(name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(Stock, name)).parameters) == parameters
    assert list(inspect.signature(Lookup.get_oem_handler).parameters)[:5] == [
        "sysinfo",
        "sysurl",
        "webclient",
        "cache",
        "cmd",
    ]


def test_we_override_what_we_say_and_no_more() -> None:
    assert {name for name in vars(Machine) if name in vars(Stock)} - {"__module__", "__doc__"} == {"__init__"}
    assert not hasattr(Stock, "readings")


def test_what_finding_sensors_reads_of_itself_is_what_we_set() -> None:
    """Of the attributes that pyghmi sets in its `__init__`, those that it reads on our way are set by ours."""
    used = {name for method in ("_do_web_request", "_get_cache", "_mapchassissensors") for name in reads(method)}
    used |= {name for prop in ("_sensormap", "oem", "sysinfo") for name in reads_of(getter(prop))}
    stock = assigned(Stock.__init__)

    assert used & stock <= assigned(Machine.__init__) | {"_varsensormap"}


def test_our_web_has_what_pyghmi_asks_of_its_own() -> None:
    for name in ("dupe", "grab_json_response", "grab_json_response_with_status", "set_basic_credentials"):
        kinds = (Web, command.webclient.SecureHTTPConnection)
        ours, theirs = (inspect.signature(getattr(kind, name)).parameters for kind in kinds)
        assert list(ours) == [each for each in theirs if each != "returnheaders"]


def test_pyghmis_words_of_resets_are_redfishs() -> None:
    assert {name: command.powerstates[name] for name in ("on", "off", "softoff")} == {
        "on": "On",
        "off": "ForceOff",
        "softoff": "GracefulShutdown",
    }


def getter(name: str) -> Any:
    return inspect.getattr_static(Stock, name).fget


def reads(method: str) -> set[str]:
    return reads_of(getattr(Stock, method))


def reads_of(function: Any) -> set[str]:
    return {node.attr for node in selfs(function) if isinstance(node.ctx, ast.Load)}


def assigned(function: Any) -> set[str]:
    return {node.attr for node in selfs(function) if isinstance(node.ctx, ast.Store)}


def selfs(function: Any) -> list[ast.Attribute]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    ]
