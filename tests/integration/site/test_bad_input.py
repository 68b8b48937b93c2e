"""What is wrong on paper is refused with its row and what to do, or booked to be found; never half.

Rule sets with overlapping or missing dates are refused where tables are loaded
(tests/unit/book/test_rules.py); signatures that are missing or forged where files are signed.
"""

from dataclasses import dataclass
from typing import Final

import pytest

from chipledger_book.events import ByBoard, ByUnit, Correction, event_id
from chipledger_book.movements import ShipmentDeclared
from chipledger_server.usecases.access import Role
from chipledger_testing.book import H100, declared, ms, party, received, site_of
from chipledger_testing.door import Door
from chipledger_testing.scene import Scene

HEAD: Final = (
    "event,kind,happened,site,shipper,shipment,sku,unit,serial,pieces,answers,corrects,reason,"
    "consignee,country,witness_name,witness_party,document"
)
OLD: Final = received(ByBoard(sku=H100, serials=("OLD",)), at=ms(2026, 1))
COUNTED: Final = received(4, at=ms(2026, 1, 2))
UNDONE: Final = Correction(
    occurred_at_ms=ms(2026, 1, 3), corrects=event_id(COUNTED), reason="counted twice"
)
SENT: Final = ShipmentDeclared(
    occurred_at_ms=ms(2026, 2),
    site="johor",
    shipper="vendor-x",
    lines=(ByUnit(model="HGX-H100-8", serials=("U1",)),),
)
GOOD: Final = {"kind": "received", "happened": "2026-03-01", "site": "johor", "sku": H100}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Rows that are wrong, and what is said of them.

    Attributes:
        rows: cells by column; a good row stands before them.
        wanted: row, column and code of each problem; nothing where they are booked.
    """

    rows: tuple[dict[str, str], ...]
    wanted: tuple[tuple[int, str, str], ...] = ()


def one(**cells: str) -> tuple[dict[str, str], ...]:
    """Return a single row, a receipt unless it says otherwise."""
    return ({**GOOD, **cells},)


CASES: Final = {
    "from the future": Case(
        rows=one(happened="2036-01-01", serial="S1"), wanted=((3, "happened", "event-in-future"),)
    ),
    "backdated": Case(rows=one(happened="2025-02-01", serial="S1")),
    "more received than shipped": Case(
        rows=tuple(
            {**GOOD, "sku": "", "unit": "HGX-H100-8", "serial": name, "answers": event_id(SENT)}
            for name in ("U1", "U2")
        )
    ),
    "a serial that is on the book": Case(
        rows=one(serial="OLD"), wanted=((3, "serial", "serial-already-received"),)
    ),
    "a serial twice in the file": Case(
        rows=(*one(serial="S1", shipment="A"), *one(serial="S1", site="muar", shipment="B")),
        wanted=((4, "serial", "serial-already-received"),),
    ),
    "a row twice": Case(
        rows=(*one(serial="S1"), *one(serial="S1")), wanted=((4, "", "row-repeated"),)
    ),
    "an unknown site": Case(
        rows=one(site="nowhere", serial="S1"), wanted=((3, "site", "unknown-site"),)
    ),
    "an unknown model": Case(
        rows=one(sku="H900", serial="S1"), wanted=((3, "sku", "unknown-sku"),)
    ),
    "an unknown unit": Case(
        rows=one(sku="", unit="HGX-9", serial="S1"), wanted=((3, "unit", "unknown-unit-model"),)
    ),
    "no number": Case(
        rows=(*one(pieces="0"), *one(pieces="-1"), *one(pieces="2.5")),
        wanted=(
            (3, "pieces", "quantity-not-positive"),
            (4, "pieces", "quantity-not-positive"),
            (5, "pieces", "quantity-not-integer"),
        ),
    ),
    "a correction of a correction": Case(
        rows=one(kind="correction", site="", sku="", corrects=event_id(UNDONE), reason="no"),
        wanted=((3, "corrects", "correction-of-correction"),),
    ),
    "a second correction": Case(
        rows=one(kind="correction", site="", sku="", corrects=event_id(COUNTED), reason="again"),
        wanted=((3, "corrects", "already-corrected"),),
    ),
    "an answer before what it answers": Case(
        rows=one(answers=event_id(SENT), happened="2026-01-05", pieces="1"),
        wanted=((3, "happened", "answer-before-event"),),
    ),
    "what leaves and is not there": Case(
        rows=one(kind="shipped", consignee="buyer", country="SG", serial="NEVER"),
        wanted=((3, "", "not-on-book"),),
    ),
    "who contradicts himself": Case(
        rows=one(serial="S1", pieces="3"), wanted=((3, "serial", "cell-unused"),)
    ),
    "a witness of the house, and no paper": Case(
        rows=one(kind="destroyed", serial="OLD", witness_name="Kim", witness_party="acme"),
        wanted=(
            (3, "document", "document-missing"),
            (3, "witness_party", "witness-not-independent"),
        ),
    ),
}


def table(case: Case) -> str:
    """Return the file of a case: a good row, then its own."""
    columns = HEAD.split(",")
    rows = [{**GOOD, "serial": "GOOD", "shipment": "good"}, *case.rows]
    lines = [",".join(row.get(column, "") for column in columns) for row in rows]
    return "\n".join([HEAD, *lines]) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name: str, scene: Scene, door: Door) -> None:
    """Refused by row, with the reason and what to do, and the good row with it; or booked."""
    scene.enter(declared(), declared(site_of("muar", owner=party("newco"))))
    scene.enter(OLD, COUNTED, UNDONE, SENT)
    scene.agree(UNDONE)
    before = len(door.read("/events")["items"])
    token = door.token(Role.ADMINISTRATOR)
    case = CASES[name]
    tried = door.send("/ledger/imports", table(case), token=token, dry_run="true").json()
    answer = door.send("/ledger/imports", table(case), token=token)

    said = [(one["row"], one["column"], one["code"]) for one in tried["problems"]]
    assert said == list(case.wanted)
    assert all(one["detail"] and one["hint"] for one in tried["problems"])
    assert answer.status_code == (422 if case.wanted else 200)
    after = len(door.read("/events")["items"])
    assert after == (before if case.wanted else before + len(tried["entered"]))
