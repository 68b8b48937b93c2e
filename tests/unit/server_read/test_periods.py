"""Closing periods in a database: documents kept, sign-offs entered, restatements beside them."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from chipledger_book.errors import BookError
from chipledger_book.events import Correction, event_id
from chipledger_book.periods.document import decode_document
from chipledger_book.reports.header import Report
from chipledger_book.reports.making import ReportKind
from chipledger_book.reports.writing import written
from chipledger_evidence.codec import b64url_encode
from chipledger_evidence.merkle import Edge, root_hash
from chipledger_server.adapters import schema
from chipledger_server.usecases.access import Principal, Role
from chipledger_server.usecases.periods.reporting import ReportAsked, report_of
from chipledger_server.usecases.refusals import Refusal
from chipledger_testing.book import declared, lpp, ms, received, site_of
from chipledger_testing.closing import (
    ADMIN,
    AUDA,
    NAME,
    OLGA,
    QUARTER,
    closes,
    desk,
    detail,
    freezes,
    listed,
    period,
    person,
    signs,
)
from chipledger_testing.hosts import chip_of
from chipledger_testing.scene import Scene

SECOND = (date(2026, 4, 1), date(2026, 5, 31))
EARLY = received(8, at=ms(2026, 2))
LATE = received(4, at=ms(2026, 3, 5), shipment="late")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Return a site with eight received chips, four of which report since February."""
    made = Scene(tmp_path)
    made.enter(declared(), declared(site_of("penang")), lpp(), EARLY)
    host = made.host("johor", "one", at=ms(2026, 2))
    made.seen(host, *(chip_of("one", index) for index in range(4)), since=ms(2026, 2, 2))
    made.sequence()
    yield made
    made.close()


def test_a_frozen_document_is_kept_byte_for_byte(scene: Scene) -> None:
    """What is read back is what was digested, with the balance of the period's last day."""
    made = freezes(scene)

    data = desk(scene).store.document(made.digest)
    assert data is not None
    document = decode_document(data)
    row = document.balance.rows[0]
    assert (row.opening, row.received, row.book, row.present.total) == (0, 8, 8, 4)
    assert document.as_of_ms == ms(2026, 4) - 1
    assert [unit.first_attested_ms for unit in document.units if unit.seen] == [ms(2026, 2, 2)] * 4


def test_a_period_is_closed_by_two_people(scene: Scene) -> None:
    """Frozen, signed by the operator, closed by the auditor; each is waited for by name."""
    made = freezes(scene)
    stages = [(period(scene).stage, period(scene).waits_for)]
    for who in (OLGA, AUDA):
        signs(scene, made.digest, who)
        stages.append((period(scene).stage, period(scene).waits_for))

    assert stages == [("frozen", "operator"), ("signed", "auditor"), ("closed", None)]
    assert [one.strength for one in period(scene).documents[0].signatures] == ["session"] * 2


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (AUDA, "sign-off-out-of-order"),
        (ADMIN, "forbidden"),
        (person("oz", Role.OPERATOR, "penang"), "outside-scope"),
    ],
)
def test_who_may_not_sign_is_told_why(scene: Scene, who: Principal, code: str) -> None:
    """An auditor before the operator, an administrator, and an operator of another site."""
    made = freezes(scene)

    with pytest.raises((BookError, Refusal), match=code):
        signs(scene, made.digest, who)
    assert period(scene).stage == "frozen"


def test_the_same_name_never_signs_for_both(scene: Scene) -> None:
    """A person with both roles is one person."""
    made = freezes(scene)
    signs(scene, made.digest, OLGA)

    with pytest.raises(BookError, match="sign-off-same-person"):
        signs(scene, made.digest, person("olga", Role.AUDITOR))


def test_a_digest_that_nobody_froze_is_not_signed(scene: Scene) -> None:
    """What is signed is a kept document."""
    freezes(scene)

    with pytest.raises(Refusal, match="unknown-period"):
        signs(scene, event_id(EARLY), OLGA)


def test_a_frozen_period_is_not_frozen_again_for_nothing(scene: Scene) -> None:
    """While nothing came, the next thing is a signature."""
    freezes(scene)

    with pytest.raises(BookError, match="period-already-frozen"):
        freezes(scene)


def test_what_came_before_the_signatures_makes_the_next_version(scene: Scene) -> None:
    """The old one can no longer be signed, and no restatement is counted."""
    old = freezes(scene)
    scene.enter(LATE)
    new = freezes(scene)

    assert (new.version, new.restatement, new.replaces) == (2, 0, old.digest)
    with pytest.raises(BookError, match="sign-off-superseded"):
        signs(scene, old.digest, OLGA)


def test_a_late_event_reopens_nothing_and_asks_for_a_restatement(scene: Scene) -> None:
    """The closed document stands; the page names the event and says what is to do."""
    closes(scene)
    scene.enter(LATE)

    shown = period(scene)
    assert (shown.stage, shown.restate) == ("closed", True)
    assert [one.event for one in shown.late] == [event_id(LATE)]
    assert "restated" in shown.blocks[0]


def test_a_restatement_stands_beside_what_it_restates(scene: Scene) -> None:
    """Numbered, with both numbers, the words and the late event; it is signed anew."""
    old = closes(scene)
    scene.enter(LATE)
    new = freezes(scene, reason="delivery note came late")

    shown = detail(scene)
    assert (new.version, new.restatement, new.replaces) == (2, 1, old.digest)
    assert ("received", "8", "12") in [
        (one.column, one.before, one.after) for one in shown.differences
    ]
    assert shown.period.stage == "frozen"
    assert [one.stage for one in shown.period.documents] == ["frozen", "closed"]
    assert desk(scene).store.document(old.digest) is not None
    assert not shown.period.late


def test_a_correction_of_what_happened_in_it_bears_on_a_period(scene: Scene) -> None:
    """Whenever it is made itself, once a second person agreed."""
    closes(scene)
    undo = Correction(occurred_at_ms=ms(2026, 5), corrects=event_id(EARLY), reason="miscounted")
    scene.enter(undo)
    assert not period(scene).restate
    scene.agree(undo)

    assert period(scene).restate


def test_agreeing_after_the_close_to_what_was_proposed_before_restates(scene: Scene) -> None:
    """What counts is when the correction took effect, not when it was proposed."""
    undo = Correction(occurred_at_ms=ms(2026, 5), corrects=event_id(EARLY), reason="miscounted")
    scene.enter(undo)
    closes(scene)
    assert not period(scene).restate
    scene.now_ms += 1000
    scene.agree(undo)

    (late,) = period(scene).late
    assert (late.event, late.recorded_ms) == (event_id(undo), scene.now_ms)


def test_later_events_do_not_bear_on_a_closed_period(scene: Scene) -> None:
    """What happens after its last day is for the next one."""
    closes(scene)
    scene.enter(received(4, at=ms(2026, 4, 2)))

    assert not period(scene).restate
    with pytest.raises(BookError, match="nothing-to-restate"):
        freezes(scene, reason="just so")


def test_only_a_closed_period_is_restated(scene: Scene) -> None:
    """Before that it is frozen again."""
    freezes(scene)
    scene.enter(LATE)

    with pytest.raises(BookError, match="period-not-closed"):
        freezes(scene, reason="late")


def test_a_restatement_needs_a_reason(scene: Scene) -> None:
    """An empty one is none."""
    closes(scene)
    scene.enter(LATE)

    with pytest.raises(Refusal, match="invalid-parameter"):
        freezes(scene, reason=" ")


def test_the_next_period_opens_with_what_the_one_before_closed_with(scene: Scene) -> None:
    """And names its digest; after a late event it says where it does not."""
    first = closes(scene)
    second = freezes(scene, days=SECOND)
    data = desk(scene).store.document(second.digest)
    assert data is not None
    document = decode_document(data)
    assert document.before is not None
    assert document.before.digest == first.digest
    assert document.before.differs == ()
    assert document.balance.rows[0].opening == 8

    scene.enter(LATE)
    freezes(scene, days=SECOND)
    assert [
        (one.before, one.after) for one in detail(scene, "2026-04-01..2026-05-31").opening_differs
    ] == [("8", "12")]


def test_a_gap_is_refused_without_and_kept_with_its_reason(scene: Scene) -> None:
    """Days that belong to no period are said."""
    closes(scene)
    days = (date(2026, 4, 2), date(2026, 5, 31))

    with pytest.raises(BookError, match="period-gap"):
        freezes(scene, days=days)
    made = freezes(scene, days=days, gap="the site was closed that day")
    data = desk(scene).store.document(made.digest)
    assert data is not None
    gap = decode_document(data).gap
    assert gap is not None
    assert gap.reason == "the site was closed that day"


def test_a_freeze_stands_in_the_log_with_the_root_it_saw(scene: Scene) -> None:
    """The root is RFC 6962's over the entries that were placed, and stands in the record."""
    made = freezes(scene)
    leaves = _leaves(scene)

    data = desk(scene).store.document(made.digest)
    assert data is not None
    log = decode_document(data).log
    assert log is not None
    assert (log.size, log.root) == (len(leaves), b64url_encode(root_hash(leaves)))
    record = _record(scene, made.digest)
    assert record["action"] == "period-frozen"
    assert record["detail"]["log_root"] == log.root


def test_a_later_root_goes_on_from_the_kept_one(scene: Scene) -> None:
    """And is the same as over all leaves at once."""
    closes(scene)
    scene.sequence()
    later = freezes(scene, days=SECOND)

    data = desk(scene).store.document(later.digest)
    assert data is not None
    log = decode_document(data).log
    assert log is not None
    assert (log.size, log.root) == (len(_leaves(scene)), b64url_encode(root_hash(_leaves(scene))))


def _leaves(scene: Scene) -> list[bytes]:
    """Return every placed leaf, in log order."""
    found: list[bytes] = []
    with scene.engine.connect() as connection:
        runs = connection.execute(select(schema.log_runs).order_by(schema.log_runs.c.first))
        for run in runs.mappings().all():
            table = schema.tokens if run["source"] == "token" else schema.records
            last = run["pos"] + run["count"]
            query = select(table.c.leaf).where(table.c.pos >= run["pos"], table.c.pos < last)
            found += [
                bytes(leaf) for leaf in connection.execute(query.order_by(table.c.pos)).scalars()
            ]
    return found


def _record(scene: Scene, subject: str) -> dict[str, Any]:
    with scene.engine.connect() as connection:
        found = connection.execute(
            select(schema.records.c.record).where(schema.records.c.subject == subject)
        ).scalar_one()
    return msgspec.json.decode(bytes(found), type=dict[str, Any])


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 100])
def test_an_edge_grows_to_the_root_of_all_leaves(size: int) -> None:
    """Leaf by leaf, and from whatever size it was kept at."""
    leaves = [bytes([number]) * 32 for number in range(size)]
    for kept in {0, size // 3, size // 2, size}:
        first = Edge()
        for leaf in leaves[:kept]:
            first.add(leaf)
        edge = Edge(first.size, first.hashes)
        for leaf in leaves[kept:]:
            edge.add(leaf)
        assert edge.root() == root_hash(leaves)


def report(
    scene: Scene, kind: ReportKind, who: Principal | None = None, version: int | None = None
) -> Report:
    """Return a report of the first quarter."""
    ask = ReportAsked(
        kind=kind,
        site="johor",
        first_day=QUARTER[0],
        last_day=QUARTER[1],
        known_at_ms=scene.now_ms,
        version=version,
    )
    with scene.reads.snapshot() as snapshot:
        return report_of(ask, desk(scene), snapshot, who)


@pytest.mark.parametrize("kind", ReportKind)
def test_a_report_of_a_closed_period_is_the_same_for_ever(scene: Scene, kind: ReportKind) -> None:
    """Late papers and time change nothing of what was closed, byte for byte."""
    closes(scene)
    before = written(report(scene, kind), "json")
    scene.enter(LATE, received(3, site="penang", at=ms(2026, 3, 6)))
    scene.now_ms += 86_400_000

    assert written(report(scene, kind), "json") == before


@pytest.mark.parametrize("kind", ReportKind)
def test_a_report_of_an_open_period_is_a_draft(scene: Scene, kind: ReportKind) -> None:
    """It says so, and has no digest."""
    header = report(scene, kind).header

    assert header.stage == "draft"
    assert {one.digest for one in header.documents} == {None}


def test_a_report_follows_the_restatement_and_can_ask_for_the_old_version(scene: Scene) -> None:
    """Both stand; the version that is asked for is named."""
    old = closes(scene)
    scene.enter(LATE)
    new = freezes(scene, reason="late")

    newest = report(scene, ReportKind.IN_OUT).header.documents[0]
    first = report(scene, ReportKind.IN_OUT, version=1).header.documents[0]
    assert (newest.digest, newest.restatement) == (new.digest, 1)
    assert (first.digest, first.restatement, first.stage) == (old.digest, 0, "closed")


@pytest.mark.parametrize("kind", [ReportKind.CHIP_ACCOUNTING, ReportKind.GROUP_SHARE])
def test_a_report_of_the_parent_is_not_for_who_sees_one_site(
    scene: Scene, kind: ReportKind
) -> None:
    """An operator of one facility learns nothing of the others by a roll-up."""
    with pytest.raises(Refusal, match="outside-scope"):
        report(scene, kind, OLGA)
    assert report(scene, kind, AUDA).header.documents[1].site == "penang"


def test_periods_are_listed_newest_first(scene: Scene) -> None:
    """Each with its name."""
    closes(scene)
    freezes(scene, days=SECOND)

    assert [one.name for one in listed(scene)] == ["2026-04-01..2026-05-31", NAME]
