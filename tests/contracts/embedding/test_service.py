"""The web service of docs/guides/embedding.md is one: it starts with its conductor, asks it, and tells what it says."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from castiron.actors.conductor import Conductor
from tests.contracts.embedding.test_life import driven, left_over
from tests.docs.examples import examples_of


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Starlette:
    """Return the page's service, as it stands there."""
    monkeypatch.chdir(tmp_path)
    (example,) = (one for one in examples_of("docs/guides/embedding.md") if "Starlette(" in one.text)
    names: dict[str, Any] = {"__name__": "service"}
    exec(compile(example.text, str(example), "exec"), names)
    app = names["app"]
    assert isinstance(app, Starlette)
    return app


@driven
async def test_the_service_of_the_guide_serves(service: Starlette, tmp_path: Path) -> None:
    transport = httpx.ASGITransport(app=service)
    async with (
        service.router.lifespan_context(service),
        httpx.AsyncClient(transport=transport, base_url="http://service") as browser,
    ):
        assert (await browser.get("/health")).json() == {"well": True, "failure": None}
        missing = await browser.post("/nodes/n1/power")
        assert (missing.status_code, missing.json()["code"]) == (409, "node.not_found")
        await service.state.castiron.nodes.create("n1", driver="fake")
        asked = await browser.post("/nodes/n1/power")
        assert asked.status_code == 202
        request = await service.state.castiron.requests.wait(asked.json()["request"], 20)
        assert request.state == "succeeded"
        conductor: Conductor = service.state.conductor
        conductor._fail("a part of it has died")
        assert (await browser.get("/health")).status_code == 503

    assert left_over(tmp_path) == []
