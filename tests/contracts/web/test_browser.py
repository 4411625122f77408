"""The page in a browser: it shows the fleet as it is, follows without being loaded again, and says what it shows."""

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from tests.contracts.web.conftest import NODES, Story
from tests.contracts.web.serving import serving
from tests.support.chromium import chromium
from tests.support.conductor_process import ConductorProcess
from tests.support.deadline import until

SOON_S = 20.0
LOOKS_S = 60.0
"""For what the page looks for every ten seconds."""

NAMES = [f"n{number}" for number in range(1, NODES + 1)]

CELLS = """
const done = arguments[0];
import("/page/app.js").then(({ fleet, grid }) => requestAnimationFrame(() => {
  const dense = window.devicePixelRatio;
  const canvas = document.getElementById("canvas");
  const copy = new OffscreenCanvas(canvas.width, canvas.height); // reading the page's own would slow it down
  const pen = copy.getContext("2d", { willReadFrequently: true });
  pen.drawImage(canvas, 0, 0);
  done(fleet.shown.map((node, index) => {
    const box = grid.boxOf(index);
    const near = (part) => Math.round(part * dense);
    const at = (x, y) => [...pen.getImageData(near(box.x + x), near(box.y + y), 1, 1).data];
    const middle = [box.x + (box.w - canvas.clientWidth) / 2, box.y + (box.h - canvas.clientHeight) / 2];
    return { name: node.name, edge: at(1, box.h - 2), inside: at(5, box.h / 2), middle };
  }));
}), (error) => done(String(error)));
"""
"""Reads from the canvas what colour each cell has at its edge and inside, and where its middle is from the canvas's."""


class Page:
    """The page, open in a browser."""

    def __init__(self, browser: Chrome, url: str) -> None:
        self.browser = browser
        self.url = url

    def open(self, fragment: str = "") -> None:
        self.browser.get("about:blank")
        self.browser.get(self.url + fragment)
        until(lambda: self.text("#link") == "live" and self.text("#count") != "", timeout_s=SOON_S)

    def text(self, selector: str) -> str:
        """Return what is read there, in one go: what is drawn anew meanwhile is read before or after."""
        return str(self.run(f"return document.querySelector({selector!r})?.innerText ?? ''"))

    def click(self, selector: str) -> None:
        self.browser.find_element(By.CSS_SELECTOR, selector).click()

    def run(self, script: str) -> Any:
        result: Any = self.browser.execute_script(script)  # pyright: ignore[reportUnknownMemberType] - it has no types
        return result

    def cells(self) -> dict[str, dict[str, Any]]:
        cells: Any = self.browser.execute_async_script(CELLS)  # pyright: ignore[reportUnknownMemberType] - as above
        assert not isinstance(cells, str), cells
        return {cell["name"]: cell for cell in cells}

    def colour(self, name: str) -> list[int]:
        """Return what a colour of the style sheet is, as a canvas has it."""
        value = self.run(f"return getComputedStyle(document.documentElement).getPropertyValue('{name}').trim()")
        digits = value[1:] if len(value) == 7 else "".join(2 * one for one in value[1:])
        return [*bytes.fromhex(digits), 255]

    def shows(self, node: str, colour: str, *, is_hollow: bool = False) -> bool:
        cell = self.cells()[node]
        inside = "--card" if is_hollow else colour
        return [cell["edge"], cell["inside"]] == [self.colour(colour), self.colour(inside)]

    def counts(self) -> dict[str, int]:
        buttons = self.browser.find_elements(By.CSS_SELECTOR, "#legend button")
        return {name: int(count) for name, count in (button.text.rsplit(maxsplit=1) for button in buttons)}


@pytest.fixture(scope="module")
def browser() -> Generator[Chrome]:
    with chromium() as one:
        yield one


@pytest.fixture
def page(browser: Chrome, story: Story) -> Generator[Page]:
    page = Page(browser, story.web.url)
    page.open()
    yield page
    untyped: Any = browser
    complaints = [entry["message"] for entry in untyped.get_log("browser")]
    assert [one for one in complaints if "/api/chosen" not in one] == [], (
        "scripts failed, or did what the policy forbids"
    )


def test_each_node_is_a_cell_in_the_colour_of_its_state(page: Page, story: Story) -> None:
    story.switch("n1", "power on")
    story.switch("n2", "power off")
    story.client.nodes.set_maintenance("n3", reason="new fan")

    assert [*page.cells()] == NAMES
    until(lambda: page.shows("n1", "--on"), timeout_s=SOON_S)
    until(lambda: page.shows("n2", "--off", is_hollow=True), timeout_s=SOON_S)
    until(lambda: page.shows("n3", "--maintenance"), timeout_s=SOON_S)
    assert page.text("#count") == f"{NODES} nodes"
    assert page.counts()["power on"] >= 1
    assert sum(page.counts().values()) == NODES


def test_a_change_shows_without_loading_the_page_again(page: Page, story: Story) -> None:
    page.run("window.notLoadedAgain = true")
    story.switch("n4", "power on")
    until(lambda: page.shows("n4", "--on"), timeout_s=SOON_S)
    story.switch("n4", "power off")
    until(lambda: page.shows("n4", "--off", is_hollow=True), timeout_s=SOON_S)
    until(lambda: "node.power_set.end" in page.text("#events"), timeout_s=SOON_S)

    assert page.run("return window.notLoadedAgain") is True


def test_a_click_on_a_cell_opens_that_nodes_life(page: Page, story: Story) -> None:
    story.switch("n5", "power on")
    canvas = page.browser.find_element(By.ID, "canvas")

    def opens() -> bool:
        x, y = page.cells()["n5"]["middle"]
        ActionChains(page.browser).move_to_element_with_offset(canvas, int(x), int(y)).click().perform()
        return page.text("#panel-title") == "n5"

    until(opens, timeout_s=SOON_S)  # the page may be laid out anew between the look and the click
    until(lambda: "node.power_set.end" in page.text("#panel"), timeout_s=SOON_S)

    assert page.text("#panel-title") == "n5"
    assert "node.create.end" in page.text("#panel .life")
    assert page.browser.find_elements(By.CSS_SELECTOR, "#panel .strip rect")
    page.run("document.querySelector('#panel details summary').click()")
    until(lambda: "accepted" in page.text("#panel details ol"), timeout_s=SOON_S)
    story.switch("n5", "rebooting")
    until(lambda: "node.power.set rebooting succeeded" in page.text("#panel"), timeout_s=SOON_S)


def test_everything_can_be_done_with_the_keyboard(page: Page) -> None:
    grid = page.browser.find_element(By.ID, "grid")
    grid.send_keys(Keys.HOME)
    grid.send_keys(Keys.ARROW_RIGHT)
    said = page.run("return document.getElementById('cell').textContent")
    assert said.startswith("n2: power ")
    grid.send_keys(Keys.ENTER)
    until(lambda: page.text("#panel-title") == "n2", timeout_s=SOON_S)
    page.browser.switch_to.active_element.send_keys(Keys.ESCAPE)

    assert page.run("return document.getElementById('panel').hidden && document.activeElement.id") == "grid"


def test_nodes_are_chosen_by_range_by_condition_and_by_state(page: Page, story: Story) -> None:
    story.switch("n1", "power on")
    page.browser.find_element(By.ID, "range").send_keys("n[1-2]", Keys.ENTER)
    until(lambda: [*page.cells()] == ["n1", "n2"], timeout_s=SOON_S)
    assert page.text("#count") == f"2 of {NODES} nodes"
    page.browser.find_element(By.ID, "where").send_keys("power_state=power on", Keys.ENTER)
    until(lambda: "n1" in page.cells(), timeout_s=SOON_S)
    page.browser.find_element(By.ID, "where").send_keys("; colour=blue", Keys.ENTER)
    until(lambda: "no field 'colour'" in page.text("#filter-error"), timeout_s=SOON_S)
    page.click("[type=reset]")
    until(lambda: [*page.cells()] == NAMES, timeout_s=SOON_S)
    page.click("#legend [data-key=on]")
    until(lambda: len(page.cells()) == page.counts()["power on"], timeout_s=SOON_S)


def test_provisioning_and_the_table_show_the_same_nodes(page: Page, story: Story) -> None:
    story.client.provision.set("n6", "manage", hold=True)
    story.client.nodes.unset_maintenance("n6")
    page.click("label:has([value=provision])")
    until(lambda: page.cells()["n6"]["edge"] == page.colour("--ready"), timeout_s=SOON_S)
    assert page.counts()["manageable"] == 1
    page.click("label:has([value=table])")

    rows = [row.text for row in page.browser.find_elements(By.CSS_SELECTOR, "#table tbody tr")]
    assert [row.split()[0] for row in rows] == NAMES
    assert "manageable" in rows[5]


def test_checks_that_fail_and_requests_that_wait_are_coloured(page: Page, story: Story) -> None:
    silent = {"ipmi_address": "127.99.0.1", "ipmi_username": "admin", "ipmi_password": "secret"}
    story.client.nodes.create("n7", driver="ipmi", driver_info=silent)
    story.client.nodes.set_maintenance("n2", reason="new fan")
    waiting = [
        story.client.nodes.power("n2", target, hold=True, policy="after") for target in ("power on", "rebooting")
    ]
    try:
        page.click("label:has([value=queue])")
        until(lambda: page.counts()["several wait"] == 1, timeout_s=LOOKS_S)
        assert page.shows("n2", "--maintenance")
        until(lambda: story.client.nodes.show("n7").power_check_failures > 0, timeout_s=LOOKS_S)
        page.click("label:has([value=checks])")
        until(lambda: "n7" in page.cells() and page.cells()["n7"]["edge"] == page.colour("--fault"), timeout_s=LOOKS_S)
        assert page.shows("n2", "--off", is_hollow=True)
        assert page.counts()["on time"] >= 1
    finally:
        for request in reversed(waiting):
            request.cancel()
        story.client.nodes.unset_maintenance("n2")
        story.client.nodes.delete("n7")


def test_what_somebody_wrote_is_text_and_nothing_else(page: Page, story: Story) -> None:
    story.client.nodes.set_maintenance("n3", reason="<img src=x onerror=alert(1)><b>bold</b>")
    uuid = story.client.nodes.show("n3").uuid
    page.open(f"#{uuid}")
    until(lambda: "<img src=x onerror=alert(1)><b>bold</b>" in page.text("#panel .facts"), timeout_s=SOON_S)

    assert page.browser.find_elements(By.CSS_SELECTOR, "#panel img, #panel b, #events img") == []


def test_it_fits_a_telephone(page: Page) -> None:
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)  # pyright: ignore[reportUnknownMemberType] - as above
    try:
        page.open()
        assert page.run("return document.documentElement.scrollWidth") <= 360
        assert [*page.cells()] == NAMES
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})  # pyright: ignore[reportUnknownMemberType] - as above


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_states_stand_out_from_their_background(page: Page, scheme: str) -> None:
    features = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", features)  # pyright: ignore[reportUnknownMemberType] - as above
    card = page.colour("--card")

    for name in ("--text", "--quiet", "--fault"):
        assert contrast(page.colour(name), card) >= 4.5, name
    for name in ("--on", "--off", "--moving", "--maintenance", "--unknown", "--used", "--ready", "--focus"):
        assert contrast(page.colour(name), card) >= 3, name


def contrast(one: list[int], other: list[int]) -> float:
    """Return the contrast of two colours, as WCAG 2 has it."""
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: list[int]) -> float:
    shares = [one / 255 for one in colour[:3]]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares]
    return sum(part * share for part, share in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_a_conductor_that_is_away_is_said_to_be_and_its_return_seen(browser: Chrome, tmp_path: Path) -> None:
    store, endpoint = tmp_path / "store.db", f"ipc://{tmp_path}/door"
    with ExitStack() as stack:
        first = stack.enter_context(ConductorProcess(store, endpoint))
        with first.client() as client:
            client.nodes.create("n1", driver="fake")
        page = Page(browser, stack.enter_context(serving(endpoint)).url)
        page.open()
        first.kill()
        until(lambda: "conductor away since" in page.text("#link"), timeout_s=SOON_S)
        assert [*page.cells()] == ["n1"], "what was seen last stays"

        second = stack.enter_context(ConductorProcess(store, endpoint))
        with second.client() as client:
            client.nodes.power("n1", "power on").wait(timeout_s=20)
        until(lambda: page.text("#link") == "live" and page.shows("n1", "--on"), timeout_s=SOON_S)


def test_a_page_whose_server_restarts_goes_on_by_itself(browser: Chrome, story: Story) -> None:
    with serving(story.endpoint) as web:
        port = str(web.port)
        page = Page(browser, web.url)
        page.open()
        web.stop()
        until(lambda: "no connection" in page.text("#link"), timeout_s=SOON_S)
    with serving(story.endpoint, "--port", port):
        until(lambda: page.text("#link") == "live", timeout_s=SOON_S)
