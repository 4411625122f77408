"""Lines of the log: what they carry, that they are lines, and that nobody waits for whoever reads them."""

import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Generator
from typing import Any

import pytest

from castiron.cli.conductor.repeats import MAX_KINDS, Repeats
from castiron.cli.logs import JSONFormatter, PatientHandler, TextFormatter, logging_to_stderr
from tests.support.deadline import until


def record(message: str = "n1: %s", *args: object, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("castiron.test", logging.WARNING, "file", 1, message, args or ("lost",), None)
    vars(made).update(extra)
    return made


def failed(**extra: Any) -> logging.LogRecord:
    made = record(**extra)
    try:
        [][int("0")]
    except IndexError as error:
        error.args = ("two\nlines",)
        made.exc_info = sys.exc_info()
    return made


def test_text_has_the_ids_behind_the_message() -> None:
    line = TextFormatter().format(record(node="n1", request="r-1", error_id=None, event=7))

    assert line.endswith(" WARNING castiron.test: n1: lost [node=n1 request=r-1 event=7]")


def test_json_has_them_beside_it() -> None:
    told = json.loads(JSONFormatter().format(record(node="n1", request="r-1", error_id=None, event=7)))

    assert told.pop("at").endswith("+00:00")
    assert told == {
        "level": "warning",
        "logger": "castiron.test",
        "message": "n1: lost",
        "node": "n1",
        "request": "r-1",
        "event": 7,
    }


@pytest.mark.parametrize("formatter", [TextFormatter(), JSONFormatter()])
def test_a_record_is_a_line_with_its_traceback_and_moves_no_cursor(formatter: logging.Formatter) -> None:
    line = formatter.format(failed(requester="ipc (\x1b[2J\r\nfake line)"))

    assert line.isprintable()
    assert "IndexError: two" in line
    assert "error_id" not in line


def test_json_carries_what_json_cannot_as_text() -> None:
    assert json.loads(JSONFormatter().format(record(node=object)))["node"] == "<class 'object'>"


class Stalled(io.StringIO):
    """A reader who does not read until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.began = threading.Event()
        self.may_go_on = threading.Event()

    def write(self, text: str) -> int:
        self.began.set()
        self.may_go_on.wait(20)
        return super().write(text)


@pytest.fixture
def stalled() -> Generator[Stalled]:
    stream = Stalled()
    yield stream
    stream.may_go_on.set()


@pytest.mark.parametrize("form", [TextFormatter, JSONFormatter])
def test_nobody_waits_for_a_reader_who_stalls_and_what_was_dropped_is_counted(
    stalled: Stalled, form: type[logging.Formatter]
) -> None:
    handler = PatientHandler(stalled, max_lines=5)
    handler.setFormatter(form())
    handler.emit(record("first %s", "one"))
    assert stalled.began.wait(20)

    for number in range(20):
        handler.emit(record("number %d", number))
    stalled.may_go_on.set()
    handler.close()

    lines = stalled.getvalue().splitlines()
    assert [f"number {number}" in line for number, line in enumerate(lines[1:6])] == [True] * 5
    assert "15 lines were dropped here" in lines[6]
    assert len(lines) == 7


class Gone(io.StringIO):
    """A reader who is not there any more."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(text)


def test_a_reader_who_is_gone_ends_nothing() -> None:
    handler = PatientHandler(Gone())
    handler.emit(record())
    until(lambda: not handler._thread.is_alive())

    for _ in range(3):
        handler.emit(record())

    assert len(handler._lines) == 0
    handler.close()


def test_a_failure_that_repeats_has_a_traceback_a_minute_and_a_line_each() -> None:
    repeats = Repeats()
    first, again, later, other = (failed(error_id=f"e{number}") for number in range(4))
    first.created, again.created, later.created, other.created = 100.0, 159.0, 160.0, 160.0
    other.lineno = 7

    told = [JSONFormatter().format(repeats.shortened(one)) for one in (first, again, later, other, record())]

    assert ["traceback" in line for line in told] == [True, False, True, True, False]
    assert json.loads(told[1])["repeated_count"] == 1
    assert [json.loads(line).get("error_id") for line in told] == ["e0", "e1", "e2", "e3", None]
    assert again.exc_info is not None, "other handlers get the record as it was"


def test_account_is_kept_of_so_many_kinds_only() -> None:
    repeats = Repeats()
    for line in range(3 * MAX_KINDS):
        one = failed()
        one.lineno = line
        assert repeats.shortened(one) is one

    assert len(repeats._kinds) == MAX_KINDS


def test_afterwards_the_process_logs_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, threading.active_count())

    with logging_to_stderr("info", "text"):
        logging.getLogger("castiron.test").info("inside")
        logging.getLogger("castiron.test").debug("too quiet")
    logging.getLogger("castiron.test").warning("outside")

    assert (list(root.handlers), root.level, threading.active_count()) == before
    told = capsys.readouterr().err
    assert "inside" in told
    assert "too quiet" not in told
    assert "outside" not in told


def test_a_host_that_sets_up_no_log_hears_nothing_on_standard_error() -> None:
    code = "import castiron, logging; logging.getLogger('castiron.actors').warning('a BMC does not answer')"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stderr == ""
