"""What Prometheus reads of a conductor: every metric of the catalogue, right, bounded, and at nobody's cost."""

import logging
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from castiron.actors.conductor import Conductor
from castiron.actors.metrics.prometheus.catalogue import METRICS
from castiron.actors.metrics.prometheus.endpoint import MAX_SCRAPES
from castiron.actors.metrics.prometheus.metric import Kind
from castiron.actors.metrics.prometheus.single import NODE_METRICS
from castiron.actors.settings import SettingInvalid, Settings, settings_from
from castiron.testing import BMCFarm
from castiron.transport.errors import EndpointRefused
from tests.contracts.metrics.scraping import Served, free_port, served
from tests.support.deadline import until

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """A conductor with a healthy machine, one that was switched, and a silent one."""
    settings = {"sync_power_state_interval_s": 0.5, "power_check_start_spread_s": 0.0, "command_timeout_s": 0.5}
    with BMCFarm(bmcs=2) as farm, served(tmp_path_factory.mktemp("served"), **settings) as one:
        for number, info in enumerate([farm[0].driver_info, farm[1].driver_info]):
            one.client.nodes.create(f"n{number}", driver="ipmi", driver_info=info)
        dead = {**farm[0].driver_info, "ipmi_port": free_port()}
        one.client.nodes.create("dead", driver="ipmi", driver_info=dead)
        one.client.nodes.power("n0", "power on").wait(timeout_s=20)
        one.client.nodes.power("n0", "rebooting").wait(timeout_s=20)
        one.client.provision.set("n1", "manage").wait(timeout_s=20)
        until(lambda: one.scrape().value("castiron_bmcs_failing", code="bmc.unreachable") == 1, timeout_s=20)
        until(lambda: (one.scrape().value("castiron_power_checks_total", result="agreed") or 0) > 3, timeout_s=20)
        yield one


def test_every_metric_of_the_catalogue_is_served_with_its_type_and_its_meaning(story: Served) -> None:
    families = story.scrape().families

    for metric in METRICS:
        name = metric.name.removesuffix("_total") if metric.kind is Kind.COUNTER else metric.name
        assert families[name].type == metric.kind.value, metric.name
        assert families[name].documentation == metric.meaning
        names = {label for sample in families[name].samples for label in sample.labels} - {"le"}
        assert names <= set(metric.labels)


def test_what_is_served_is_what_status_says(story: Served) -> None:
    status, scraped = story.client.status(), story.scrape()

    assert scraped.value("castiron_nodes", power_state="power on") == status.nodes["power on"] == 1
    assert scraped.value("castiron_nodes", power_state="unknown") == status.nodes["unknown"] == 1
    assert scraped.value("castiron_nodes_by_provision_state", provision_state="manageable") == 1
    assert scraped.value("castiron_store_commits_total") == status.store.commits
    assert scraped.value("castiron_ipmi_sessions") == status.drivers["ipmi"]["sessions"] == 2
    assert scraped.value("castiron_queue_limit", queue="logins") == Settings().ipmi_max_logins
    assert (scraped.value("castiron_messages_total", what="received") or 0) >= status.transport["received"]


def test_the_words_of_ironic_and_metal3_count_the_same(story: Served) -> None:
    scraped = story.scrape()

    assert scraped.value("metal3_operation_power_change_total", on_off="on") == 2, "power on, and the reboot's half"
    assert scraped.value("metal3_operation_power_change_total", on_off="off") == 1
    moved = {"prev_state": "verifying", "new_state": "manageable"}
    assert scraped.value("metal3_provisioning_state_change_total", **moved) == 1
    assert scraped.value("metal3_operation_register_duration_seconds_count") == 1
    assert scraped.value("metal3_credentials_no_management_access_total") == 1
    assert scraped.value("metal3_host_error_total", error_type="registration error") == 0
    asked = scraped.value("ironic_do_sync_power_state_call_count") or 0
    answers = scraped.value("castiron_bmc_response_seconds_count") or 0
    assert asked > answers > 0, "the silent one was asked, too"
    assert (scraped.value("ironic_do_sync_power_state_time") or 0) > 0


def test_histograms_are_whole_and_never_step_back(story: Served) -> None:
    first = story.scrape()
    second = story.scrape()

    for scraped in (first, second):
        for family in (one for one in scraped.families.values() if one.type == "histogram"):
            counts = [sample.value for sample in family.samples if sample.name.endswith("_bucket")]
            ends = [sample.value for sample in family.samples if sample.name.endswith("_count")]
            buckets_each = len(counts) // max(1, len(ends))
            for number, end in enumerate(ends):
                part = counts[number * buckets_each : (number + 1) * buckets_each]
                assert part == sorted(part), family.name
                assert part[-1] == end
    for queue in ("dispatcher", "front door", "ipmi driver"):
        before, after = (one.value("castiron_lag_seconds_count", queue=queue) for one in (first, second))
        assert 0 < (before or 0) <= (after or 0)


def test_no_label_has_a_value_for_each_node(story: Served) -> None:
    page = story.page()

    assert not [word for word in ("dead", '"n0"', '"n1"', "node_name", "node_uuid") if word in page]


def test_openmetrics_is_spoken_to_whoever_asks_for_it(story: Served) -> None:
    scraped = story.scrape_openmetrics()

    assert scraped.value("castiron_nodes", power_state="power on") == 1
    assert scraped.value("castiron_power_checks_total", result="forced") == 0


def test_there_is_one_page(story: Served) -> None:
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(story.url.replace("/metrics", "/nodes"), timeout=20)

    assert refusal.value.code == 404
    assert b"/metrics" in refusal.value.read()


def test_who_connects_and_says_nothing_holds_up_nobody_but_others_like_him(story: Served) -> None:
    with ExitStack() as held:
        for _ in range(MAX_SCRAPES):
            held.enter_context(socket.create_connection(("127.0.0.1", story.port), timeout=20))

        def is_refused() -> bool:
            with socket.create_connection(("127.0.0.1", story.port), timeout=20) as one:
                try:
                    one.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                    return one.recv(100) == b""
                except ConnectionError:
                    return True

        until(is_refused, timeout_s=20)
        assert story.client.nodes.show("n0").power_state == "power on", "the conductor itself goes on"
    until(lambda: not _fails(story), timeout_s=20)


def _fails(story: Served) -> bool:
    try:
        story.scrape()
    except OSError:
        return True
    return False


def test_nodes_have_metrics_of_their_own_only_where_a_setting_says_for_how_many(tmp_path: Path) -> None:
    with served(tmp_path, prometheus_max_nodes=2, send_sensor_data=True, sensor_data_interval_s=1.0) as one:
        for name in ("c", "a", "b"):
            one.client.nodes.create(name, driver="fake")
        until(lambda: len(one.scrape().labels("castiron_node_powered")) == 2, timeout_s=20)
        uuid = one.client.nodes.show("a").uuid
        scraped = one.scrape()

    assert {name for name, _ in scraped.labels("castiron_node_maintenance")} == {"a", "b"}
    assert scraped.value("castiron_node_powered", node_name="a", node_uuid=uuid) == 0
    state = {"node_name": "a", "node_uuid": uuid, "provision_state": "enroll"}
    assert scraped.value("castiron_node_provision_state", **state) == 1
    assert {metric.name for metric in NODE_METRICS} <= set(scraped.families)


def test_readings_of_sensors_have_the_names_of_ironics_exporter(tmp_path: Path) -> None:
    settings = {"prometheus_max_nodes": 10, "send_sensor_data": True, "sensor_data_interval_s": 1.0}
    with BMCFarm(bmcs=1) as farm, served(tmp_path, **settings) as one:
        one.client.nodes.create("n0", driver="ipmi", driver_info=farm[0].driver_info)
        until(lambda: bool(one.scrape().labels("baremetal_temp_celsius")), timeout_s=20)
        scraped = one.scrape()

    assert all(name == "n0" for name, _, _ in scraped.labels("baremetal_temp_celsius"))
    assert scraped.labels("baremetal_fan_rpm")
    assert scraped.labels("baremetal_last_payload_timestamp_seconds")


def test_a_drain_is_told_while_it_lasts(tmp_path: Path) -> None:
    with served(tmp_path) as one:
        before = one.scrape().value("castiron_draining")
        one.client.drain()
        meanwhile = one.scrape().value("castiron_draining")
        one.client.drain(undo=True)
        after = one.scrape().value("castiron_draining")

    assert (before, meanwhile, after) == (0, 1, 0)


def test_it_is_off_unless_a_port_is_set() -> None:
    assert Settings().prometheus_port == 0


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "::", "2001:db8::1"])
def test_an_address_that_others_reach_must_be_allowed(address: str) -> None:
    with pytest.raises(SettingInvalid, match=r"^prometheus_address: .*prometheus_allow_remote=true"):
        settings_from({"prometheus_port": 9100, "prometheus_address": address})

    allowed = {"prometheus_port": 9100, "prometheus_address": address, "prometheus_allow_remote": True}
    assert settings_from(allowed).prometheus_address == address


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.0.1", "::1"])
def test_loopback_needs_no_leave(address: str) -> None:
    assert settings_from({"prometheus_address": address}).prometheus_address == address


@pytest.mark.parametrize("address", ["localhost", "", "127.0.0.1:9100", "http://127.0.0.1"])
def test_an_address_is_numbers(address: str) -> None:
    with pytest.raises(SettingInvalid, match=r"^prometheus_address: .* is no IP address"):
        settings_from({"prometheus_address": address})


def test_a_port_that_is_taken_stops_the_start_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(prometheus_port=taken.getsockname()[1])
        conductor = Conductor(store=tmp_path / "store.db", endpoint=f"ipc://{tmp_path}/door", settings=settings)
        with pytest.raises(EndpointRefused, match=r"Metrics cannot be served at 127\.0\.0\.1:\d+: Address already"):
            conductor.start()
    with conductor:
        assert urllib.request.urlopen(f"http://127.0.0.1:{settings.prometheus_port}/metrics", timeout=20).status == 200


WITHOUT = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] == "prometheus_client" else self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
from castiron.cli.main import main
main(sys.argv[1:])
"""


def test_without_the_extra_the_start_says_what_to_install(tmp_path: Path) -> None:
    """A process that cannot import the library, as where the extra was not installed."""
    words = ["serve", "--store", f"{tmp_path}/s.db", "--listen", f"ipc://{tmp_path}/d", "--set", "prometheus_port=9"]
    command = [sys.executable, "-c", WITHOUT, *words]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)

    assert process.returncode == 78, process.stderr
    assert "pip install castiron[prometheus]" in process.stderr
    assert "Traceback" not in process.stderr


def test_a_fault_in_a_metric_is_told_in_the_log_and_in_the_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from castiron.actors.metrics.prometheus.endpoint import Endpoint, Page  # noqa: PLC0415 - this one alone

    def render(accept: str) -> Page:
        raise ZeroDivisionError(accept)

    endpoint = Endpoint("127.0.0.1", 0, render)
    try:
        with caplog.at_level(logging.ERROR), pytest.raises(urllib.error.HTTPError) as failure:
            urllib.request.urlopen(endpoint.url, timeout=20)
    finally:
        endpoint.stop()
        endpoint.stop()

    assert failure.value.code == 500
    assert "ZeroDivisionError" not in failure.value.read().decode()
    assert "metrics could not be made" in caplog.text
