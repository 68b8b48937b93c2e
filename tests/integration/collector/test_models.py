"""Which chip models the collector knows: by the catalogue that was approved at that time."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from chipledger_book import shipped
from chipledger_book.events import LedgerRecord
from chipledger_book.movements import Installed
from chipledger_evidence.codec import encode_canonical
from chipledger_server.adapters.rules import SqlRules
from chipledger_server.usecases.access import Principal, Role
from chipledger_server.usecases.people import Hand
from chipledger_server.usecases.rules.proposing import Proposing, approve, begin, load
from chipledger_testing.collector_inside import CollectorInside
from chipledger_testing.hosts import SimulatedHost, inventory_of
from chipledger_testing.scene import CountedEntropy

DAY = 86_400_000


def by(inside: CollectorInside, name: str, *, nth: str = "") -> Proposing:
    """Return the hand of an administrator, now."""
    hand = Hand(principal=name, now_ms=inside.clock.ms, entropy=CountedEntropy(name + nth))
    who = Principal(id=name, name=name, created_ms=0, role=Role.ADMINISTRATOR, sites=None)
    return Proposing(store=SqlRules(inside.engine), hand=hand, who=who, ttl_s=DAY // 1000)


def with_x9000(version: str, *, valid_from: str = "2020-01-01") -> bytes:
    """Return the shipped catalogue and a row for a model that it does not hold."""
    table: dict[str, Any] = json.loads(encode_canonical(shipped.catalogue()))
    table["head"]["version"] = version
    row = next(row for row in table["skus"] if row["sku"] == "H100-SXM5-80GB")
    pci = [{"device": "ffff10de"}]
    new = {**row, "sku": "X9000", "names": ["NVIDIA X9000"], "pci": pci, "board_parts": []}
    table["skus"].append({**new, "valid_from": valid_from})
    return json.dumps(table).encode()


def approved(inside: CollectorInside, table: bytes) -> None:
    """Let one administrator load a catalogue and another approve it."""
    version = json.loads(table)["head"]["version"]
    proposal = load(table, by(inside, "ann", nth=version), reason="a new model")
    inside.pass_time(1000)
    approve(proposal.id, by(inside, "ben", nth=version))
    inside.step()


def report_strange(inside: CollectorInside, host: SimulatedHost) -> None:
    """Let the second chip of a host be of the new model, and report it."""
    first, second = host.inventory.chips
    if second.pci is None:
        raise AssertionError
    pci = replace(second.pci, device="ffff10de")
    host.inventory = inventory_of(first, replace(second, name="NVIDIA X9000", pci=pci))
    inside.report(inside.full(host))


@pytest.fixture
def strange(inside: CollectorInside) -> SimulatedHost:
    """A host with a chip of a model that the first catalogue does not hold."""
    begin(SqlRules(inside.engine), by(inside, "init").hand)
    host = inside.enrol("a")
    report_strange(inside, host)
    assert inside.findings() == ["unknown-sku"]
    return host


def test_a_row_that_was_approved_ends_the_finding_at_the_next_report(
    inside: CollectorInside, strange: SimulatedHost
) -> None:
    """A heartbeat is enough; loading alone ends nothing, nor does approving before a report."""
    load(with_x9000("2027.1"), by(inside, "cy"), reason="another one, that nobody approved")
    inside.report(inside.heartbeat(strange))
    loaded = inside.findings()
    approved(inside, with_x9000("2027.2"))
    before = inside.findings()
    inside.pass_time(60_000)
    inside.report(inside.heartbeat(strange))

    assert (loaded, before) == (["unknown-sku"], ["unknown-sku"])
    assert (inside.findings(), inside.findings("resolved")) == ([], ["unknown-sku"])


def test_a_replay_names_models_by_the_catalogue_of_each_place_of_the_log(
    inside: CollectorInside, strange: SimulatedHost
) -> None:
    """Opened under the first, ended under the second, opened again under one that dropped it."""
    approved(inside, with_x9000("2027.1"))
    inside.pass_time(60_000)
    inside.report(inside.heartbeat(strange))
    dropped = json.loads(encode_canonical(shipped.catalogue()))
    dropped["head"]["version"] = "2027.2"
    approved(inside, json.dumps(dropped).encode())
    inside.pass_time(60_000)
    inside.report(inside.heartbeat(strange))
    live = inside.derived()
    inside.replay()

    assert inside.findings() == ["unknown-sku"]
    assert inside.derived() == live


def test_a_collector_that_starts_again_goes_on_with_the_catalogue_of_the_log(
    inside: CollectorInside, strange: SimulatedHost
) -> None:
    """It neither falls back to the shipped one nor looks at hosts again that were looked at."""
    approved(inside, with_x9000("2027.1"))
    inside.pass_time(60_000)
    inside.report(inside.heartbeat(strange))
    inside.restart()
    inside.pass_time(60_000)
    inside.report(inside.heartbeat(strange))
    live = inside.derived()
    inside.replay()

    assert inside.findings() == []
    assert inside.derived() == live


def test_a_row_counts_from_its_first_day_on(
    inside: CollectorInside, strange: SimulatedHost
) -> None:
    """Approved today for tomorrow: the first report of tomorrow ends the finding."""
    tomorrow = datetime.fromtimestamp(inside.clock.ms / 1000, tz=UTC).date() + timedelta(1)
    approved(inside, with_x9000("2027.1", valid_from=str(tomorrow)))
    inside.report(inside.heartbeat(strange))
    today = inside.findings()
    inside.pass_time(DAY - inside.clock.ms % DAY)
    inside.report(inside.heartbeat(strange))

    assert today == ["unknown-sku"]
    assert "unknown-sku" not in inside.findings()


@pytest.mark.usefixtures("strange")
def test_what_is_recorded_of_chips_names_the_approved_model(inside: CollectorInside) -> None:
    """Installed before the approval without a name, after it under that of its model."""
    approved(inside, with_x9000("2027.1"))
    report_strange(inside, inside.enrol("b"))
    rows = inside.rows("SELECT record FROM records WHERE type = 'event' ORDER BY pos")
    events = [msgspec.json.decode(record, type=LedgerRecord).event for (record,) in rows]

    assert [
        [chip.sku for chip in event.chips] for event in events if isinstance(event, Installed)
    ] == [["H100-SXM5-80GB", None], ["H100-SXM5-80GB", "X9000"]]
