"""What is served: the page and what it needs, the fleet, one node's life; to whom, and that nothing can be changed."""

import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from castiron.cli.web.command import web as command
from castiron.cli.web.listening import MAX_HEAD_BYTES
from castiron.cli.web.routes import MAX_QUERY
from castiron.transport.vocabulary import Role
from tests.contracts.web.conftest import Story
from tests.contracts.web.serving import ROOT, SOON_S, serving
from tests.support.deadline import until

PAGE = ROOT / "cli" / "web" / "page"
PATHS = ("/", "/page/app.js", "/api/fleet", "/api/chosen", "/api/nodes/n1", "/api/requests/x", "/api/stream")


def uuid_of(story: Story, name: str) -> str:
    return story.client.nodes.show(name).uuid


def test_the_page_is_served_with_all_that_it_names(story: Story) -> None:
    index = story.web.get("/")

    assert index.headers["content-type"] == "text/html; charset=utf-8"
    named = set(re.findall(r'/page/[^"]+', index.text + "".join(path.read_text() for path in PAGE.glob("*.js"))))
    assert named == {f"/page/{path.name}" for path in PAGE.iterdir()} - {"/page/index.html"}
    for name in named:
        file = story.web.get(name)
        assert file.status_code == 200
        assert file.content == (PAGE / Path(name).name).read_bytes()


def test_the_page_needs_nothing_from_anywhere_else() -> None:
    links = {found for path in PAGE.iterdir() for found in re.findall(r"https?://[^\s\"'`)]+", path.read_text())}

    assert links == {"http://www.w3.org/2000/svg"}, "the name of SVG, which nobody asks for"


def test_every_answer_tells_the_browser_to_keep_to_itself(story: Story) -> None:
    for path in ("/", "/page/app.js", "/page/none", "/api/fleet", "/api/nodes/none"):
        headers = story.web.get(path).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert {policy[name] for name in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers


@pytest.mark.parametrize("path", PATHS)
def test_nothing_can_be_done_but_looked_at(story: Story, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
        answer = story.web.http.request(method, path)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET"


def test_what_it_asks_a_conductor_for_a_reader_may() -> None:
    assert {verb.role for verb in getattr(command, "verbs", ())} == {Role.READER}


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8680", "127.0.0.1.evil.example", "192.0.2.7", "", "[::"]
)
def test_who_calls_it_by_a_foreign_name_is_refused(story: Story, host: str) -> None:
    for path in PATHS:
        assert story.web.get(path, headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1:8680", "[::1]:8680", "127.8.8.8"])
def test_who_calls_it_by_its_own_name_is_let_in(story: Story, host: str) -> None:
    assert story.web.get("/api/fleet", headers={"Host": host}).status_code == 200


def test_a_host_that_is_said_twice_or_not_at_all_is_refused(story: Story) -> None:
    for heads in ("", "Host: localhost\r\nHost: localhost\r\n"):
        with socket.create_connection(("127.0.0.1", story.web.port), timeout=SOON_S) as line:
            line.sendall(f"GET /api/fleet HTTP/1.1\r\n{heads}Connection: close\r\n\r\n".encode())
            assert line.recv(64).split()[1] in {b"400", b"421"}


def test_another_sites_page_may_not_ask(story: Story) -> None:
    asked = {
        site: story.web.get("/api/fleet", headers={"Sec-Fetch-Site": site}).status_code
        for site in ("cross-site", "same-site", "same-origin", "none")
    }

    assert asked == {"cross-site": 403, "same-site": 403, "same-origin": 200, "none": 200}


def test_the_fleet_is_what_the_conductor_says(story: Story) -> None:
    story.client.nodes.set_maintenance("n6", reason="new fan")
    until(lambda: any(row.get("maintenance") for row in story.web.get("/api/fleet").json()["nodes"]), timeout_s=SOON_S)

    rows = {row["name"]: row for row in story.web.get("/api/fleet").json()["nodes"]}

    views = {view.name: view for view in story.client.nodes.list()}
    assert rows.keys() == views.keys()
    for name, view in views.items():
        assert rows[name]["uuid"] == view.uuid
        assert rows[name]["state"] == view.provision_state
        assert rows[name].get("maintenance", False) == view.maintenance


def test_a_nodes_life_is_told(story: Story) -> None:
    story.switch("n1", "power on")

    told = story.web.get(f"/api/nodes/{uuid_of(story, 'n1')}").json()

    assert told["node"]["power_state"] == "power on"
    types = [one["type"] for one in told["events"]]
    assert types.index("node.power_set.end") < types.index("node.power_set.start") < types.index("node.create.end")
    assert told["events"][types.index("node.power_set.end")]["power"] == "power on"
    (asked,) = [one for one in told["requests"] if one["target"] == "power on"]
    assert asked["state"] == "succeeded"
    assert told["findings"][0]["text"]
    trace = story.web.get(f"/api/requests/{asked['id']}").json()
    assert trace["request"]["id"] == asked["id"]
    assert trace["entries"][0]["word"] == "accepted"


def test_no_secret_is_in_any_view(story: Story) -> None:
    secret = "a-secret-of-n2"  # 16 bytes, as IPMI allows
    uuid = uuid_of(story, "n2")
    story.client.nodes.set("n2", driver_info={"ipmi_password": secret})
    story.client.nodes.power("n2", "power on").wait(timeout_s=20)
    told = story.web.get(f"/api/nodes/{uuid}").json()
    paths = ["/api/fleet", f"/api/nodes/{uuid}", *(f"/api/requests/{one['id']}" for one in told["requests"])]

    seen = "".join(story.web.get(path).text for path in paths)
    with story.web.stream() as stream:
        seen += str(next(stream).content)

    assert any(one["state"] == "failed" for one in told["requests"]), "its BMC has another password"
    assert "driver_info" in seen, "that it was changed is told"
    assert secret not in seen
    assert all("ipmi_password" not in one["words"] or "******" in one["words"] for one in told["events"])


def test_nodes_are_chosen_by_range_and_by_conditions(story: Story) -> None:
    story.switch("n3", "power on")
    until(lambda: "n3" in chosen(story, where="power_state=power on"), timeout_s=SOON_S)

    assert chosen(story, range="n[2-4],n9") == {"n2", "n3", "n4"}
    assert chosen(story, range="n[3-4]", where="power_state=power on") == {"n3"}
    assert chosen(story) == {f"n{number}" for number in range(1, 7)}


def test_how_many_wait_is_looked_for_though_no_event_tells_it(story: Story) -> None:
    uuid = story.client.nodes.set_maintenance("n5").uuid
    request = story.client.nodes.power("n5", "power on", hold=True)
    try:
        until(lambda: story.web.get("/api/work").json()["work"].get(uuid) == {"queued": 1}, timeout_s=SOON_S)
    finally:
        request.cancel()
        story.client.nodes.unset_maintenance("n5")
    until(lambda: uuid not in story.web.get("/api/work").json()["work"], timeout_s=SOON_S)


def chosen(story: Story, **given: str) -> set[str]:
    names = {view.uuid: view.name for view in story.client.nodes.list()}
    return {names[uuid] for uuid in story.web.get("/api/chosen", params=given).json()["uuids"]}


@pytest.mark.parametrize(
    "given",
    [
        {"range": "n[1-"},
        {"range": "n[1-99999999]"},
        {"where": "colour=blue"},
        {"where": "driver_info.ipmi_password=*"},
        {"where": "x" * (MAX_QUERY + 1)},
    ],
    ids=lambda given: str(given)[:40],
)
def test_a_filter_that_makes_no_sense_is_refused_in_words(story: Story, given: dict[str, str]) -> None:
    answer = story.web.get("/api/chosen", params=given)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "argument.invalid"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/nodes/none", 404),
        ("/api/requests/00000000-0000-0000-0000-000000000000", 404),
        ("/api/nodes/" + "x" * 9000, 400),
        ("/page/none.js", 404),
        ("/page/..%2F__init__.py", 404),
        ("/page/../command.py", 404),
        ("/api", 404),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_not_there_is_said_to_be_missing(story: Story, path: str, status: int) -> None:
    assert story.web.get(path).status_code == status


def test_a_request_that_never_ends_is_refused_before_it_fills_the_memory(story: Story) -> None:
    with socket.create_connection(("127.0.0.1", story.web.port), timeout=SOON_S) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        with suppress(ConnectionError):
            for _ in range(100):
                line.sendall(b"x" * MAX_HEAD_BYTES)
        with suppress(ConnectionError):
            assert line.recv(64).split()[1] == b"400"


def test_ctrl_c_ends_it_at_once_also_while_somebody_looks(story: Story) -> None:
    with serving(story.endpoint) as web, web.stream() as stream:
        assert next(stream).kind == "everything"
        assert web.stop() == 0
        assert [told.kind for told in stream] in ([], ["status"])


def test_sigterm_ends_it_too(story: Story) -> None:
    with serving(story.endpoint) as web:
        web.process.send_signal(signal.SIGTERM)
        assert web.process.wait(SOON_S) == 0


def castiron(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "castiron", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_an_address_that_others_reach_is_refused_unless_it_is_meant() -> None:
    refused = castiron("web", "--address", "192.0.2.7")

    assert refused.returncode == 64
    assert "--allow-remote" in refused.stderr


def test_a_port_that_is_taken_is_told(story: Story) -> None:
    refused = castiron("web", "--endpoint", story.endpoint, "--port", str(story.web.port))

    assert refused.returncode == 73
    assert "Choose another --port" in refused.stderr


def test_nobody_waits_for_a_conductor_that_was_never_there(tmp_path: Path) -> None:
    refused = castiron("web", "--endpoint", f"ipc://{tmp_path}/nobody")

    assert refused.returncode == 69
    assert "castiron serve" in refused.stderr


def test_without_the_extra_it_says_what_to_install() -> None:
    blocked = "import sys; sys.modules['uvicorn'] = None; from castiron.cli.main import main; main(['web'])"
    done = subprocess.run(
        [sys.executable, "-c", blocked], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 64
    assert "pip install castiron[web]" in done.stderr


def test_other_commands_do_without_the_server() -> None:
    code = (
        "import sys; from castiron.cli.main import main\n"
        "try: main(['web', '--help'])\n"
        "except SystemExit: print({'asyncio', 'uvicorn', 'starlette'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.endswith("set()\n")
