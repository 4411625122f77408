"""A BMC that speaks Redfish over real HTTPS on 127.0.0.1, whole where sushy's emulator is not, and wrong when told.

Sessions that are counted, limited and can expire; accounts; an event log; a restart. A fault is put in line for the
next request that fits it: a hang before or in an answer, any status, truncated JSON, a redirect, a body without end, an
answer that is lost after the deed.
"""

import json
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.support.certificates import Certificate, make_certificate

USERNAME: Final = "admin"
PASSWORD: Final = "password"
SYSTEM: Final = "/redfish/v1/Systems/1"
RESET: Final = f"{SYSTEM}/Actions/ComputerSystem.Reset"
SESSIONS: Final = "/redfish/v1/SessionService/Sessions"
MANAGER: Final = "/redfish/v1/Managers/1"
CHASSIS: Final = "/redfish/v1/Chassis/1"
ENTRIES: Final = f"{MANAGER}/LogServices/SEL/Entries"
ACCOUNT: Final = "/redfish/v1/AccountService/Accounts/2"

Fault = Callable[["Visit"], bool]
"""Answers in its own way; returns whether that was all."""


@dataclass
class Wrong:
    """A fault in line."""

    method: str
    path: str
    fault: Fault


class Visit(BaseHTTPRequestHandler):
    """One connection to the BMC."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    bmc: "RedfishBMC"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def setup(self) -> None:
        super().setup()
        self.bmc.met(self.connection)

    def handle_error(self) -> None:
        """Say nothing."""

    def handle_any(self) -> None:
        """Answer one request."""
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size) or b"{}")
        with suppress(OSError):
            self.bmc.answer(self, self.command, self.path, body)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the base's names

    def reply(self, status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> None:
        """Send an answer."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients of tests leave as they like."""


class RedfishBMC:
    """One BMC and its machine. Attributes may be read and set at any time."""

    def __init__(self, folder: Path, *, max_sessions: int = 8) -> None:
        self.certificate: Certificate = make_certificate(folder)
        self.power = "Off"
        self.boot = {
            "BootSourceOverrideEnabled": "Disabled",
            "BootSourceOverrideTarget": "None",
            "BootSourceOverrideMode": "UEFI",
        }
        self.lamp = "Off"
        self.users = {USERNAME: PASSWORD}
        self.events = 0
        self.max_sessions = max_sessions
        self.has_sessions = True
        self.follows = True
        self.sessions: dict[str, str] = {}
        """Token → path."""
        self.controls: list[str] = []
        """The kinds of reset that it was asked for."""
        self.asked: list[str] = []
        """Every request, as "GET /redfish/v1/"."""
        self.tasks: dict[str, Callable[[], tuple[int, Any, dict[str, str]]]] = {}
        """Path of a monitor → what is answered there, each time."""
        self.logins = 0
        self.connections = 0
        self.most_at_once = 0
        self._at_once = 0
        self._wrongs: list[Wrong] = []
        self._open: list[socket.socket] = []
        self._lock = threading.RLock()
        self.released = threading.Event()
        visit = type("VisitOfThis", (Visit,), {"bmc": self})
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate.path, self.certificate.key_path)
        self._server = Server(("127.0.0.1", 0), visit)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def driver_info(self) -> dict[str, Any]:
        """What a node needs to reach it."""
        return {
            "redfish_address": f"https://127.0.0.1:{self.port}",
            "redfish_username": USERNAME,
            "redfish_password": PASSWORD,
            "redfish_verify_ca": str(self.certificate.path),
        }

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self.drop_connections()

    def next(self, fault: Fault, method: str = "GET", path: str = SYSTEM, count: int = 1) -> None:
        """Have the next requests that fit meet a fault."""
        with self._lock:
            self._wrongs += [Wrong(method, path, fault)] * count

    def release(self) -> None:
        """Let go of all that hangs; what hangs from now on does so until the next time."""
        before, self.released = self.released, threading.Event()
        before.set()

    def forgive(self) -> None:
        """Take back every fault that is still in line."""
        with self._lock:
            self._wrongs.clear()

    def drop_connections(self) -> None:
        """End every connection, as a BMC does with idle ones."""
        with self._lock:
            dropped, self._open = self._open, []
        for each in dropped:
            with suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)

    def expire_sessions(self) -> None:
        """Forget every session."""
        with self._lock:
            self.sessions.clear()

    def count(self, method: str, path: str) -> int:
        """Return how often it was asked for something."""
        return self.asked.count(f"{method} {path}")

    def met(self, connection: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            self._open.append(connection)

    def answer(self, visit: Visit, method: str, path: str, body: dict[str, Any]) -> None:
        with self._lock:
            self.asked.append(f"{method} {path}")
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            wrong = next((each for each in self._wrongs if (each.method, each.path) == (method, path)), None)
            if wrong is not None:
                self._wrongs.remove(wrong)
        reply = self._reply(visit, method, path, body, wrong)
        if reply is not None:
            visit.reply(*reply)

    def _reply(
        self, visit: Visit, method: str, path: str, body: dict[str, Any], wrong: Wrong | None
    ) -> tuple[int, Any, dict[str, str]] | None:
        """Return what is answered; None: it was. It counts as over before: whoever has it may ask again at once."""
        try:
            if wrong is not None and wrong.fault(visit):
                return None
            with self._lock:
                return self._carry_out(visit, method, path, body)
        finally:
            with self._lock:
                self._at_once -= 1

    def act(self, visit: Visit, method: str, path: str, body: dict[str, Any]) -> None:
        """Do what is asked without an answer."""
        with self._lock:
            self._carry_out(visit, method, path, body)

    def _carry_out(self, visit: Visit, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        if path == "/redfish/v1/":
            return 200, self._root(), {}
        if (method, path) == ("POST", SESSIONS):
            return self._log_in(body)
        if not self._may(visit):
            return 401, refusal("NoValidSession"), {}
        if method == "DELETE" and path.startswith(SESSIONS):
            self.sessions = {token: at for token, at in self.sessions.items() if at != path}
            return 204, None, {}
        return self._read(path) if method == "GET" else self._change(method, path, body)

    def _read(self, path: str) -> tuple[int, Any, dict[str, str]]:
        if path in self.tasks:
            return self.tasks[path]()
        found = self._resources().get(path)
        return (200, found, {}) if found is not None else (404, refusal("ResourceMissingAtURI"), {})

    def _may(self, visit: Visit) -> bool:
        told = visit.headers.get("Authorization", "")
        pairs = {f"Basic {b64encode(f'{user}:{word}'.encode()).decode()}" for user, word in self.users.items()}
        return visit.headers.get("X-Auth-Token") in self.sessions or told in pairs

    def _log_in(self, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        if not self.has_sessions:
            return 404, refusal("ResourceMissingAtURI"), {}
        if self.users.get(body.get("UserName", "")) != body.get("Password"):
            return 401, refusal("AccessDenied", f"not with {body.get('Password')}"), {}
        if len(self.sessions) >= self.max_sessions:
            return 503, refusal("SessionLimitExceeded"), {}
        self.logins += 1
        token, path = f"token-{self.logins}", f"{SESSIONS}/{self.logins}"
        self.sessions[token] = path
        return 201, {"@odata.id": path}, {"X-Auth-Token": token, "Location": path}

    def _change(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        match method, path:
            case "POST", str() if path == RESET:
                kind = body["ResetType"]
                self.controls.append(kind)
                if self.follows:
                    self.power = "On" if kind in {"On", "ForceOn", "ForceRestart"} else "Off"
            case "POST", str() if path == f"{MANAGER}/Actions/Manager.Reset":
                self.sessions.clear()
            case "POST", str() if path == f"{MANAGER}/LogServices/SEL/Actions/LogService.ClearLog":
                self.events = 0
            case "PATCH", str() if path == SYSTEM:
                self.boot.update(body.get("Boot", {}))
                self.lamp = body.get("IndicatorLED", self.lamp)
            case "PATCH", str() if path == ACCOUNT:
                self.users[USERNAME] = body["Password"]
            case _:
                return 405, refusal("ActionNotSupported"), {}
        return 204, None, {}

    def _root(self) -> dict[str, Any]:
        links = {"Links": {"Sessions": at(SESSIONS)}} if self.has_sessions else {}
        return {
            "RedfishVersion": "1.15.0",
            "Vendor": "castiron",
            "Systems": at("/redfish/v1/Systems"),
            "Managers": at("/redfish/v1/Managers"),
            "Chassis": at("/redfish/v1/Chassis"),
            "AccountService": at("/redfish/v1/AccountService"),
            **links,
        }

    def _resources(self) -> dict[str, Any]:
        system = {
            "@odata.id": SYSTEM,
            "@odata.etag": 'W/"1"',
            "UUID": "a1234567-89ab-4def-a123-456789abcdef",
            "Manufacturer": "castiron",
            "Model": "Test Machine",
            "SerialNumber": "S\x001",
            "PowerState": self.power,
            "Boot": self.boot,
            "IndicatorLED": self.lamp,
            "Links": {"Chassis": [at(CHASSIS)], "ManagedBy": [at(MANAGER)]},
            "Actions": {
                "#ComputerSystem.Reset": {
                    "target": RESET,
                    "ResetType@Redfish.AllowableValues": ["On", "ForceOff", "GracefulShutdown"],
                }
            },
        }
        manager = {
            "@odata.id": MANAGER,
            "FirmwareVersion": "1.00",
            "Model": "Test BMC",
            "LogServices": at(f"{MANAGER}/LogServices"),
            "Actions": {
                "#Manager.Reset": {
                    "target": f"{MANAGER}/Actions/Manager.Reset",
                    "ResetType@Redfish.AllowableValues": ["GracefulRestart", "ForceRestart"],
                }
            },
        }
        log = {
            "Id": "SEL",
            "Entries": at(ENTRIES),
            "MaxNumberOfRecords": 1000,
            "Actions": {"#LogService.ClearLog": {"target": f"{MANAGER}/LogServices/SEL/Actions/LogService.ClearLog"}},
        }
        return {
            "/redfish/v1/Systems": {"Members": [at(SYSTEM)]},
            SYSTEM: system,
            "/redfish/v1/Managers": {"Members": [at(MANAGER)]},
            MANAGER: manager,
            f"{MANAGER}/LogServices": {"Members": [at(f"{MANAGER}/LogServices/SEL")]},
            f"{MANAGER}/LogServices/SEL": log,
            ENTRIES: {"Members@odata.count": self.events, "Members": []},
            CHASSIS: {
                "@odata.id": CHASSIS,
                "ChassisType": "RackMount",
                "SerialNumber": "C1",
                "Sensors": at(f"{CHASSIS}/Sensors"),
            },
            f"{CHASSIS}/Sensors": {"Members": [at(f"{CHASSIS}/Sensors/Inlet")]},
            f"{CHASSIS}/Sensors/Inlet": {
                "@odata.id": f"{CHASSIS}/Sensors/Inlet",
                "Name": "Inlet Temp",
                "ReadingType": "Temperature",
                "Reading": 23.0,
                "ReadingUnits": "Cel",
                "Status": {"Health": "OK"},
            },
            "/redfish/v1/AccountService": {"Accounts": at("/redfish/v1/AccountService/Accounts")},
            "/redfish/v1/AccountService/Accounts": {"Members": [at(ACCOUNT)]},
            ACCOUNT: {"@odata.id": ACCOUNT, "UserName": USERNAME, "RoleId": "Administrator"},
        }


def at(path: str) -> dict[str, str]:
    """Return a link."""
    return {"@odata.id": path}


def refusal(message_id: str, text: str = "") -> dict[str, Any]:
    """Return an error's body, whose text may hold what was sent."""
    told = [{"MessageId": f"Base.1.18.{message_id}", "Message": text}]
    return {"error": {"code": "Base.1.18.GeneralError", "message": text, "@Message.ExtendedInfo": told}}


@contextmanager
def running_redfish_bmc(*, max_sessions: int = 8) -> Generator[RedfishBMC]:
    """Run a BMC for a `with`."""
    with TemporaryDirectory(prefix="castiron-redfish-") as folder:
        bmc = RedfishBMC(Path(folder), max_sessions=max_sessions)
        bmc.start()
        try:
            yield bmc
        finally:
            bmc.close()
