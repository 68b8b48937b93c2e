"""Real captures, from `nvidia-smi -q -x` through agent and collector to the balance."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chipledger_book.events import ByCount, Received, SiteDeclared
from chipledger_book.parties import Party, Site
from chipledger_testing.nvml.captures import capture_document
from chipledger_testing.nvml.identifiers import Seed, reidentify
from chipledger_testing.nvml.machine import Machine, parse_machine
from chipledger_testing.stage import Stage

CAPTURES = {"qx-h100": 8, "qx-b200": 8, "qx-gb200": 4, "qx-l40s": 1}
TPP = {
    "H100-SXM5-80GB": (8, 15_832),
    "B200-SXM6-180GB": (8, 36_000),
    "GB200-186GB": (4, 40_000),
    "L40S-48GB": (1, 5_864),
}
OWNER = Party(id="owner", name="Owner", headquarters="MY")


def machine(capture: Path) -> Machine:
    """Return a capture as a machine; its placeholders would be the same on every host."""
    seed = Seed(host=capture.stem, rack=capture.stem)
    return parse_machine(reidentify(capture_document(capture), seed))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A running collector with one test site that received what the captures show."""
    stage = Stage(folder=tmp_path, silence_s=3600)  # hosts that report once stay fresh
    try:
        stage.start_collector()
        site = Site(
            id="cap-1",
            name="Captures",
            country="MY",
            operator=OWNER,
            consignee=OWNER,
            ultimate_parent=OWNER,
            test=True,
        )
        stage.enter("site", SiteDeclared(occurred_at_ms=1_767_225_600_000, site=site))
        lines = tuple(ByCount(sku=sku, pieces=pieces) for sku, (pieces, _) in TPP.items())
        stage.enter(
            "received", Received(occurred_at_ms=1_767_312_000_000, site="cap-1", lines=lines)
        )
        yield stage
    finally:
        stage.stop_all()


@pytest.mark.timeout(120)
def test_captured_machines_are_balanced(shared: Path, stage: Stage) -> None:
    """21 chips of four real nodes arrive signed, with model and TPP right, and fill the book."""
    for name in CAPTURES:
        file = stage.enrol(name, "cap-1", machine(shared / "captures" / f"{name}.xml"))
        said = json.loads(stage.agent(name, file, "once", "--json"))
        assert said["stored"] == 1, said
    reader = stage.server("principal", "add", "reader", "--role", "auditor").split()[-1]
    stage.wait(
        "four reports", lambda: len(stage.get("/api/v1/chips?limit=100", reader)["items"]) == 21
    )
    hosts = stage.get("/api/v1/hosts?limit=100", reader)["items"]
    assert sorted(host["chips_read"] for host in hosts) == sorted(CAPTURES.values())
    report = json.loads(stage.server("reconcile", "--site", "cap-1", "--json"))
    site = report[0]["report"]
    rows = {row["sku"]: row for row in site["rows"]}
    assert {sku: (row["present"]["G1"], row["tpp_each"]) for sku, row in rows.items()} == TPP
    assert site["physical"] == "agrees"
    assert site["tpp"]["present"] == sum(pieces * tpp for pieces, tpp in TPP.values())
