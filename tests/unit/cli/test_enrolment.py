"""Nodes from JSON, as people and the farm write it."""

import json
import os
from pathlib import Path

import pytest

from castiron.cli.nodes.enrolment import STDIN, batches
from castiron.cli.output.faults import Stop

BMC = {"name": "bmc1", "address": "127.100.0.1", "port": 6230, "username": "admin", "password": "correct horse"}


def test_what_the_farm_prints_becomes_driver_info(tmp_path: Path) -> None:
    (tmp_path / "bmcs.json").write_text(json.dumps([BMC]))

    ((name, verb),) = next(batches(str(tmp_path / "bmcs.json")))

    assert name == "bmc1"
    assert verb.driver == "ipmi"
    assert verb.driver_info == {
        "ipmi_address": "127.100.0.1",
        "ipmi_port": 6230,
        "ipmi_username": "admin",
        "ipmi_password": "correct horse",
    }


def test_an_object_with_driver_info_keeps_it(tmp_path: Path) -> None:
    item = {**BMC, "driver_info": {"ipmi_address": "127.0.0.9"}, "extra": {"rack": 3}}
    (tmp_path / "nodes").write_text(json.dumps(item))

    ((_, verb),) = next(batches(str(tmp_path / "nodes"), force=True))

    assert verb.driver_info == {"ipmi_address": "127.0.0.9"}
    assert verb.extra == {"rack": 3}
    assert verb.force


@pytest.mark.parametrize("indent", [None, 2])
def test_one_document_or_an_object_a_line_are_the_same(tmp_path: Path, indent: int | None) -> None:
    items = [{"name": f"n{number}"} for number in range(3)]
    document, lines = tmp_path / "document", tmp_path / "lines"
    document.write_text(json.dumps(items, indent=indent))
    lines.write_text("\n\n".join(map(json.dumps, items)))

    first, second = list(batches(str(document))), list(batches(str(lines)))

    assert [name for name, _ in first[0]] == [name for name, _ in second[0]] == ["n0", "n1", "n2"]


def test_standard_input_is_taken_line_by_line_while_its_writer_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader) as stdin, os.fdopen(writer, "w", buffering=1) as farm:
        monkeypatch.setattr("sys.stdin", stdin)
        source = batches(STDIN)

        for names in (["n1"], ["n2", "n3"]):
            farm.write(json.dumps([{"name": name} for name in names]) + "\n")

            assert [name for name, _ in next(source)] == names


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nonsense", "Line 1 is not JSON"),
        ('{"name": "n1"}\n3', "Line 2: a node is a JSON object"),
        ('{"nam": "n1"}', "no field 'nam'. Did you mean 'name'?"),
        ('{"driver": "ipmi"}', "Line 1: the node has no name"),
        ('{"name": "n1", "zzz": "correct horse"}', "no field 'zzz'"),
        ('{"name": "n0"}\n' + "[" * 100_000, "Line 2: maps and arrays are nested too deeply"),
        ('{"name":\n' + "[" * 100_000, "Line 1: maps and arrays are nested too deeply"),
    ],
)
def test_what_is_no_node_is_refused_by_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "nodes").write_text(text)

    with pytest.raises(Stop) as wrong:
        list(batches(str(tmp_path / "nodes")))

    assert told in wrong.value.message
    assert "correct horse" not in wrong.value.message


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    for name in ("missing", "binary"):
        with pytest.raises(Stop, match=name):
            list(batches(str(tmp_path / name)))
