"""Laws of the balance, over random histories."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from chipledger_book.balance import Question, reconcile, reconcile_all
from chipledger_book.events import (
    ByBoard,
    ByChip,
    ByCount,
    ByUnit,
    ChipRef,
    Correction,
    Event,
    LedgerRecord,
    Received,
    decode_event,
    encode_event,
    event_id,
)
from chipledger_book.ledger import Book, fold
from chipledger_book.licences import LicenceLine, QuantityUnit
from chipledger_book.matching import KINDS, Item, match
from chipledger_book.physical import ChipState, SeenChip
from chipledger_book.report import Authorisation, Physical, SiteReport
from chipledger_evidence.appraisal.grades import Grade
from chipledger_testing.book import (
    GB200,
    H100,
    H200,
    NOW,
    T4,
    TABLES,
    chip,
    declared,
    licence,
    lpp,
    ms,
    party,
    pieces,
    received,
    record,
    report,
    row,
    site_of,
    uuid,
)

SITES = ("johor", "penang")
SKUS = (H100, H200, GB200, T4)
NUMBERS = st.integers(min_value=0, max_value=12)

counts = st.builds(
    ByCount, sku=st.sampled_from(SKUS), pieces=st.integers(min_value=1, max_value=20)
)
by_chip = st.builds(
    lambda sku, numbers, pdi: ByChip(
        sku=sku,
        chips=tuple(
            ChipRef(pdi=f"{number:016x}" if pdi else None, uuid=uuid(number)) for number in numbers
        ),
    ),
    st.sampled_from(SKUS),
    st.lists(NUMBERS, min_size=1, max_size=5, unique=True),
    st.booleans(),
)
boards = st.builds(
    lambda sku, numbers: ByBoard(sku=sku, serials=tuple(f"165{n:010d}" for n in numbers)),
    st.sampled_from(SKUS),
    st.lists(NUMBERS, min_size=1, max_size=4, unique=True),
)
units = st.builds(
    lambda model, numbers: ByUnit(model=model, serials=tuple(f"S{n}" for n in numbers)),
    st.sampled_from(("HGX-H100-4", "HGX-H200-8", "GB200-TRAY")),
    st.lists(NUMBERS, min_size=1, max_size=2, unique=True),
)
receipts = st.builds(
    Received,
    occurred_at_ms=st.integers(min_value=ms(2025), max_value=NOW),
    site=st.sampled_from(SITES),
    lines=st.lists(counts | by_chip | boards | units, min_size=1, max_size=4).map(tuple),
    shipment=st.text("ab", max_size=2),
)
sightings = st.lists(
    st.builds(
        chip,
        NUMBERS,
        site=st.sampled_from(SITES),
        sku=st.sampled_from((*SKUS, None)),
        state=st.sampled_from(ChipState),
        grade=st.sampled_from((Grade.G1, Grade.G2, Grade.G3, Grade.G4)),
        pdi=st.booleans(),
        named=st.booleans(),
    ),
    max_size=25,
    unique_by=lambda one: (one.chip_id, one.site),
)


def ledger(received_here: list[Received]) -> list[LedgerRecord]:
    """Return the records of two sites with licences and receipts."""
    line = LicenceLine(amount=100_000, unit=QuantityUnit.TPP)
    before: list[Event] = [
        declared(),
        declared(site_of("penang")),
        lpp(),
        licence("D-1", pieces(10), line, sites=("johor",)),
    ]
    return [record(event) for event in (*before, *received_here)]


def balances(book: Book, seen: list[SeenChip]) -> tuple[SiteReport, ...]:
    """Return the reports of every site."""
    return reconcile_all(book, seen, TABLES, Question(as_of_ms=NOW)).reports


@given(st.lists(receipts, max_size=5), sightings)
def test_every_column_is_conserved(history: list[Received], seen: list[SeenChip]) -> None:
    """Book, present and sightings each equal the sum of where they went; nothing is clipped."""
    for found in balances(fold(ledger(history)), seen):
        for line in found.rows:
            matched = line.matched_by_identity + line.matched_by_count
            assert line.book == line.opening + line.received
            assert line.book == matched + line.silent + line.disputed + line.unaccounted
            assert line.present.total == matched + line.overage
            assert min(matched, line.unaccounted, line.overage, line.silent, line.disputed) >= 0
        here = [one for one in seen if one.site == found.site]
        placed = sum(
            line.present.total
            + line.silent
            + line.silent_off_book
            + line.disputed
            + line.disputed_off_book
            for line in found.rows
        )
        unknown = sum(
            model.present.total + model.silent + model.disputed for model in found.unknown_models
        )
        assert placed + unknown == len(here)
        assert sum(hole.chips for hole in found.holes) == sum(
            line.unaccounted for line in found.rows
        )


@given(st.lists(receipts, max_size=5), sightings, st.data())
def test_order_of_arrival_changes_nothing(
    history: list[Received], seen: list[SeenChip], data: st.DataObject
) -> None:
    """Events and sightings in any order, and events told twice, give the same reports."""
    records = ledger(history)
    shuffled = data.draw(st.permutations([*records, *records[:3]]))
    turned = data.draw(st.permutations(seen))

    assert balances(fold(shuffled), turned) == balances(fold(records), seen)


@given(st.lists(receipts, max_size=4), receipts, sightings)
def test_a_further_receipt_never_lowers_the_book(
    history: list[Received], more: Received, seen: list[SeenChip]
) -> None:
    """It adds to book and hole or match, and lowers no overage below zero."""
    before = balances(fold(ledger(history)), seen)
    after = balances(fold(ledger([*history, more])), seen)

    for old, new in zip(before, after, strict=True):
        for line in old.rows:
            later = row(new, line.sku)
            assert later.book >= line.book
            assert later.overage <= line.overage
            assert later.unaccounted >= line.unaccounted - (later.book - line.book)
            assert later.present == line.present


@given(st.lists(receipts, min_size=1, max_size=4), sightings)
def test_a_corrected_receipt_leaves_no_trace_in_the_balance(
    history: list[Received], seen: list[SeenChip]
) -> None:
    """Correcting an event equals never having entered it."""
    gone = history[0]
    rest = [event for event in history if event != gone]
    undo = Correction(occurred_at_ms=NOW, corrects=event_id(gone), reason="typing error")

    with_correction = fold([*ledger(history), record(undo)])
    assert balances(with_correction, seen) == balances(fold(ledger(rest)), seen)


@given(st.lists(receipts, max_size=4), sightings)
def test_no_verdict_is_better_than_its_numbers(
    history: list[Received], seen: list[SeenChip]
) -> None:
    """`agrees` means that every controlled column but matched and declared is zero."""
    for found in balances(fold(ledger(history)), seen):
        if found.physical is Physical.AGREES:
            for line in found.rows:
                if line.controlled:
                    assert line.book == line.present.total
                    assert not line.unaccounted + line.overage + line.silent + line.disputed
            assert all(not one.present.total for one in found.unknown_models)
            assert any(line.book and line.present.total for line in found.rows if line.controlled)
        if found.physical is Physical.NOTHING_TO_COMPARE:
            assert not any(line.book or line.seen for line in found.rows if line.controlled)
            assert all(not one.present.total for one in found.unknown_models)
        if found.authorisation is Authorisation.WITHIN:
            assert not found.uncovered
            assert all(use.left_tpp >= 0 for use in found.ceilings if use.window == "2026")
            assert found.tpp.beyond == 0
        else:
            assert found.tpp.left is None
        if found.authorisation in (Authorisation.EXCEEDED, Authorisation.NOT_AUTHORISED):
            assert found.tpp.beyond > 0
        for used in (line for one in found.licences for line in one.lines):
            assert 0 <= used.used <= used.limit


@given(st.lists(receipts, max_size=4), sightings, st.sampled_from(SITES))
def test_one_site_alone_equals_its_part_of_all(
    history: list[Received], seen: list[SeenChip], name: str
) -> None:
    """Asking for one site reads less and answers the same."""
    book = fold(ledger(history))
    alone = reconcile(book, seen, TABLES, Question(as_of_ms=NOW), site=name)

    assert alone in balances(book, seen)


@given(
    st.lists(receipts, max_size=5),
    st.sampled_from(SITES),
    st.sampled_from(("MY", "CN", "AE")),
    st.sampled_from(("acme", "newco")),
)
def test_a_new_declaration_changes_nothing_that_arrived_before(
    history: list[Received], name: str, headquarters: str, owner: str
) -> None:
    """Whoever owns a site today, what it received stays covered, or not, as it was."""
    history = [event for event in history if event.occurred_at_ms < NOW]
    anew = declared(site_of(name, owner=party(owner, headquarters)), at=NOW)
    book = fold([*ledger(history), record(anew)])
    before, after = balances(fold(ledger(history)), []), balances(book, [])

    for old, new in zip(before, after, strict=True):
        assert (new.authorisation, new.uncovered) == (old.authorisation, old.uncovered)
        used = {(use.subject, use.window): use.used_tpp for use in new.ceilings if use.used_tpp}
        assert (
            used.items()
            <= {(use.subject, use.window): use.used_tpp for use in old.ceilings}.items()
        )
        assert new == reconcile(book, [], TABLES, Question(as_of_ms=NOW), site=new.site)


@given(st.integers(min_value=1, max_value=2000), st.integers(min_value=0, max_value=2000))
def test_the_exception_is_kept_exactly_while_the_sum_is_at_most_26_900_000(
    first: int, second: int
) -> None:
    """However a delivery is split, only the sum of the year decides."""
    history = [received(first, at=ms(2026, 2))]
    if second:
        history.append(received(second, at=ms(2026, 3)))
    events: list[Event] = [declared(), lpp(), *history]
    book = fold(map(record, events))
    total = (first + second) * TABLES.catalogue.sku(H100, date(2026, 6, 1)).tpp

    allowed = report(book).authorisation is Authorisation.WITHIN
    assert allowed == (total <= 26_900_000)


@given(receipts)
def test_every_receipt_survives_its_bytes(event: Received) -> None:
    """Canonical bytes decode to the event that made them."""
    assert decode_event(encode_event(event)) == event


KIND_SETS = st.frozensets(st.sampled_from(KINDS))


@given(
    st.lists(st.tuples(KIND_SETS, st.integers(1, 4)), max_size=16),
    st.lists(st.tuples(KIND_SETS, st.sampled_from(ChipState)), max_size=30),
)
def test_as_many_as_can_be_are_matched_by_count(
    booked: list[tuple[frozenset[str], int]], kinds_seen: list[tuple[frozenset[str], ChipState]]
) -> None:
    """Whatever names the sides have, no other assignment fills more places, present ones first."""
    items = [
        Item(
            key=f"{place}", event="", line=0, place=place, sku=H100, chips=held, occurred_at_ms=0,
            names=dict.fromkeys(kinds, f"booked-{place}"),
        )
        for place, (kinds, held) in enumerate(booked)
    ]  # fmt: skip
    seen = [
        SeenChip(
            chip_id=f"{number}", site="johor", host="h", grade=Grade.G1, state=state,
            **dict.fromkeys(kinds, f"seen-{number}"),  # type: ignore[arg-type]
        )
        for number, (kinds, state) in enumerate(kinds_seen)
    ]  # fmt: skip
    found = match(items, seen)

    filled = set(found.by_count)
    for last in range(1, len(ChipState) + 1):
        states = tuple(ChipState)[:last]
        some = [one for one in seen if one.state in states]
        assert sum(one.chip_id in filled for one in some) == most_that_fit(items, some)


def most_that_fit(items: list[Item], seen: list[SeenChip]) -> int:
    """Return the size of a largest assignment, chip by chip (Kuhn)."""
    places = [item for item in items for _ in range(item.chips)]
    holder: dict[int, SeenChip] = {}

    def place(one: SeenChip, tried: set[int]) -> bool:
        for number, item in enumerate(places):
            comparable = any(getattr(one, kind) is not None for kind in item.names)
            if comparable or number in tried:
                continue
            tried.add(number)
            if number not in holder or place(holder[number], tried):
                holder[number] = one
                return True
        return False

    return sum(place(one, set()) for one in seen)
