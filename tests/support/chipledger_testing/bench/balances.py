"""What balances cost against the size of the fleet: one site after one event or report, and all.

The database holds the fleet as ledger and sequencer leave it. CPU time, one process.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from chipledger_book.balance import Question, reconcile_all
from chipledger_book.events import (
    ByCount,
    LedgerRecord,
    LicenceGranted,
    Received,
    SiteDeclared,
    decode_event,
    encode_event,
    event_id,
)
from chipledger_book.ledger import fold
from chipledger_book.physical import SeenChip
from chipledger_book.report import Physical
from chipledger_evidence.appraisal.policy import shipped_policy
from chipledger_server.adapters import schema
from chipledger_server.adapters.database import for_writing, migrate, open_engine
from chipledger_server.adapters.ledger import SqlLedger
from chipledger_server.adapters.reads import SqlReads
from chipledger_server.usecases.book.entry import enter
from chipledger_server.usecases.book.reconcile import Measure, all_balances, balance_of
from chipledger_server.usecases.people import Hand
from chipledger_server.usecases.physical import Reading
from chipledger_server.usecases.reading import When
from chipledger_testing.bench.fleet import CHIPS, Fleet
from chipledger_testing.book import H100, NOW, TABLES, ms

REPEATS: Final = 5
_SEEN_MS: Final = ms(2026, 5)
_SITE: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceCost:
    """CPU milliseconds at one size.

    Attributes:
        chips: in the database.
        site_ms: the balance of one site after one report of one of its hosts.
        event_ms: entering one receipt.
        after_ms: the balance of its site after that.
        pure_ms: every balance from book and sightings in memory.
        ledger_ms: the same from the bytes of the ledger, decoding and folding included.
        all_ms: every balance from the database.
    """

    chips: int
    site_ms: float
    event_ms: float
    after_ms: float
    pure_ms: float
    ledger_ms: float
    all_ms: float


def measure(sites: int, *, in_family: int = 10) -> BalanceCost:
    """Return the costs for a fleet of so many sites, after checking that every balance agrees."""
    fleet = Fleet(sites=sites, in_family=in_family)
    pure_ms, ledger_ms = _pure(fleet)
    with TemporaryDirectory() as name:
        database = _Database(Path(name), fleet)
        site_ms, event_ms, after_ms = database.one()
        all_ms = database.all()
    return BalanceCost(
        chips=sites * CHIPS,
        site_ms=site_ms,
        event_ms=event_ms,
        after_ms=after_ms,
        pure_ms=pure_ms,
        ledger_ms=ledger_ms,
        all_ms=all_ms,
    )


def _pure(fleet: Fleet) -> tuple[float, float]:
    """Return the cost of all balances in memory, and of that from the ledger's bytes."""
    bodies = [encode_event(event) for event in fleet.events()]
    seen = [chip for number in range(fleet.sites) for chip in fleet.seen(number)]
    with _collected(), _clock() as decoding:
        book = fold(LedgerRecord(event=decode_event(body), recorded_at_ms=NOW) for body in bodies)
    with _collected(), _clock() as balancing:
        found = reconcile_all(book, seen, TABLES, Question(as_of_ms=NOW))
    if any(report.physical is not Physical.AGREES for report in found.reports):
        raise AssertionError("an honest fleet does not agree")
    return balancing.ms, decoding.ms + balancing.ms


@dataclass(slots=True)
class _Clock:
    ms: float = 0.0


@contextmanager
def _clock() -> Iterator[_Clock]:
    clock = _Clock()
    start = time.process_time()
    yield clock
    clock.ms = (time.process_time() - start) * 1000


@contextmanager
def _collected() -> Iterator[None]:
    """Keep what lies in memory for the measure's own sake out of garbage collection."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


class _Database:
    """A collector's database with a fleet in it."""

    def __init__(self, folder: Path, fleet: Fleet) -> None:
        self._fleet = fleet
        self._engine = open_engine(folder / "collector.sqlite")
        migrate(for_writing(self._engine))
        with for_writing(self._engine).begin() as connection:
            _fill(connection, fleet)
        self._measure = Measure(
            tables=TABLES, silence_limit_ms=100 * 86_400_000, appraisal=shipped_policy()
        )

    def one(self) -> tuple[float, float, float]:
        """Return the cost of one balance after a report, of a receipt, and of one after that."""
        site = self._fleet.name(min(_SITE, self._fleet.sites - 1))
        self._balance(site)
        self._enter(site, 0)  # marks of the whole ledger are written once
        self._balance(site)
        reports, events, after = [], [], []
        for turn in range(1, REPEATS + 1):
            with for_writing(self._engine).begin() as connection:
                _report(connection, site, turn)
            reports.append(_timed(lambda: self._balance(site)))
            events.append(_timed(lambda turn=turn: self._enter(site, turn)))  # type: ignore[misc]
            after.append(_timed(lambda: self._balance(site)))
        return _median(reports), _median(events), _median(after)

    def all(self) -> float:
        """Return the cost of every balance."""
        now = When(as_of_ms=NOW, known_at_ms=NOW)
        with _collected(), _clock() as clock, SqlReads(self._engine).snapshot() as snapshot:
            found = all_balances(snapshot, now, self._measure, scope=None)
        if len(found) != self._fleet.sites:
            raise AssertionError("a balance is missing")
        self._engine.dispose()
        return clock.ms

    def _balance(self, site: str) -> None:
        now = When(as_of_ms=NOW, known_at_ms=NOW)
        with SqlReads(self._engine).snapshot() as snapshot:
            balance_of(snapshot, site, now, self._measure)

    def _enter(self, site: str, turn: int) -> None:
        event = Received(
            occurred_at_ms=_SEEN_MS + turn, site=site, lines=(ByCount(sku=H100, pieces=1),)
        )
        hand = Hand(principal="bench", now_ms=NOW, entropy=bytes)
        enter(event, SqlLedger(self._engine), TABLES, hand)


def _timed(act: Callable[[], None]) -> float:
    with _clock() as clock:
        act()
    return clock.ms


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _report(connection: Connection, site: str, turn: int) -> None:
    """Let one host of a site report an inventory anew."""
    runs = schema.presence
    host = f"{site}-010"
    at = _SEEN_MS + turn
    connection.execute(
        update(runs).where(runs.c.host == host, runs.c.until_ms.is_(None)).values(until_ms=at - 1)
    )
    connection.execute(
        insert(runs).values(host=host, site=site, inventory=host.encode(), since_ms=at)
    )


def _fill(connection: Connection, fleet: Fleet) -> None:
    """Write a fleet as its ledger and its sequencer would have."""
    connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
    for event in fleet.events():
        owner = event.site if isinstance(event, SiteDeclared) else None
        licence = event.licence if isinstance(event, LicenceGranted) else None
        confirmed = getattr(event, "confirms", None)
        site = owner.id if owner else getattr(event, "site", None)
        if confirmed is not None:
            site = connection.execute(
                select(schema.ledger_events.c.site).where(schema.ledger_events.c.id == confirmed)
            ).scalar_one()
        connection.execute(
            insert(schema.ledger_events).values(
                id=event_id(event),
                type=str(type(event).__struct_config__.tag),
                site=site,
                parent=owner.ultimate_parent.id if owner else None,
                consignee=owner.consignee.id if owner else licence.consignee if licence else None,
                occurred_ms=event.occurred_at_ms,
                recorded_ms=NOW - 1,
                principal="bench",
                body=encode_event(event),
            )
        )
    for number in range(fleet.sites):
        _fill_site(connection, fleet, number)


def _fill_site(connection: Connection, fleet: Fleet, number: int) -> None:
    site = fleet.name(number)
    connection.execute(
        insert(schema.sites).values(id=site, name=site, country="MY", test_site=False, event="e")
    )
    held: dict[str, list[dict[str, Any]]] = {}
    for chip in fleet.seen(number):
        devices = held.setdefault(chip.host, [])
        devices.append(_device(chip, len(devices)))
    hosts = [_host(site, host, number * CHIPS + place) for place, host in enumerate(held)]
    runs = [
        {"host": host, "site": site, "inventory": host.encode(), "since_ms": _SEEN_MS}
        for host in held
    ]
    devices_held = [device for devices in held.values() for device in devices]
    connection.execute(insert(schema.hosts), hosts)
    connection.execute(insert(schema.presence), runs)
    connection.execute(insert(schema.inventory_chips), devices_held)


def _host(site: str, host: str, num: int) -> dict[str, Any]:
    return {
        "id": host,
        "num": num,
        "site": site,
        "ueid": host,
        "provider": "nvml",
        "enrolled_ms": _SEEN_MS,
        "code_hash": b"c",
        "fresh_ms": NOW,
        "received_ms": NOW,
        "inventory": host.encode(),
    }


def _device(chip: SeenChip, place: int) -> dict[str, Any]:
    return {
        "inventory": chip.host.encode(),
        "index": place,
        "chip": int(chip.chip_id),
        "state": str(Reading.READ),
        "uuid": chip.uuid,
        "pdi": chip.pdi,
        "serial": chip.board,
        "board_part": chip.model.board_part,
        "name": chip.model.name,
        "device": chip.model.device,
        "subsystem": chip.model.subsystem,
        "bdf": f"0000:{place:02x}:00.0",
    }
