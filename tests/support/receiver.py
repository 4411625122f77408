"""A real HTTP server on loopback that takes webhooks, as well or as badly as it is told."""

import base64
import hmac
import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

SECRET = base64.b64encode(b"a secret of thirty-two octets !!").decode()
OTHER_SECRET = base64.b64encode(b"an older secret, to be replaced.").decode()

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def key_file(folder: Path, *secrets: str) -> Path:
    path = folder / "webhook.key"
    path.write_text("# shared with the receiver\n" + "".join(f"whsec_{secret}\n" for secret in secrets or (SECRET,)))
    path.chmod(0o600)
    return path


@dataclass(frozen=True)
class Taken:
    """A call as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        return cast("dict[str, Any]", json.loads(self.body))

    def is_signed_with(self, secret: str) -> bool:
        """Check the signature as a receiver would, from the description in the guide."""
        content = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        right = "v1," + base64.b64encode(hmac.digest(base64.b64decode(secret), content, sha256)).decode()
        return any(hmac.compare_digest(right, one) for one in self.headers["webhook-signature"].split())


class Receiver:
    """Listens until the `with` that made it ends. `answer` may be set at any time, for calls from then on."""

    def __init__(self, port: int = 0) -> None:
        self.taken: list[Taken] = []
        self.answer: bytes | Callable[[Taken], bytes] = OK
        self.stall = threading.Event()
        """Set: calls are answered. Tests that want a receiver that hangs clear it."""
        self.stall.set()
        self.is_endless = False
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                taken = Taken(self.path, {k.lower(): v for k, v in self.headers.items()}, self.rfile.read(length))
                receiver.taken.append(taken)
                receiver.stall.wait(60)
                answer = receiver.answer if isinstance(receiver.answer, bytes) else receiver.answer(taken)
                with suppress(OSError):
                    self.wfile.write(answer)
                    self.wfile.flush()
                self.close_connection = not answer.startswith(b"HTTP/1.1 204")
                if receiver.is_endless:
                    self.connection.settimeout(60)
                    with suppress(OSError):
                        self.rfile.read(1)  # until whoever called hangs up

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.stall.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def of(self, request_id: str) -> list[Taken]:
        return [one for one in list(self.taken) if one.told["request"] == request_id]


@contextmanager
def receiving(port: int = 0) -> Generator[Receiver]:
    receiver = Receiver(port)
    try:
        yield receiver
    finally:
        receiver.close()
