"""What the collector recorded by itself, in the ledger: read, confirmed and corrected."""

import pytest

from chipledger_book.errors import BookError, Code
from chipledger_book.events import Correction, Event, Role, event_id
from chipledger_book.ledger import fold
from chipledger_book.movements import Confirmed, Moved
from chipledger_book.terms import EventId
from chipledger_book.watch import FactKind
from chipledger_evidence.appraisal.policy import shipped_policy
from chipledger_server.adapters.ledger import SqlLedger
from chipledger_server.adapters.reads import SqlReads
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.access import Role as Account
from chipledger_server.usecases.book.entry import Speaker, enter
from chipledger_server.usecases.book.lookout import Lookout
from chipledger_server.usecases.book.reconcile import Measure
from chipledger_server.usecases.book.rights import entry_problems
from chipledger_server.usecases.book.standing import agree
from chipledger_server.usecases.people import Hand
from chipledger_server.usecases.reading import EventsAsked, LedgerAsked, When
from chipledger_testing.book import TABLES, declared, site_of
from chipledger_testing.collector_inside import HOUR_MS, CollectorInside, CountingEntropy
from chipledger_testing.hosts import inventory_of
from chipledger_testing.scene import SILENCE_MS

MINUTE_MS = 60_000


def put(inside: CollectorInside, event: Event, *, role: Role = Role.COLLECTOR) -> str:
    """Enter an event as somebody of a role of the only party, and return its id."""
    hand = Hand(principal="local:0", now_ms=inside.clock.ms, entropy=CountingEntropy())
    speaker = Speaker(role=role, party="acme" if role is Role.OPERATOR else None)
    ledger = SqlLedger(inside.engine)
    return enter(event, ledger, TABLES, hand, speaker=speaker).id


def agreed_to(inside: CollectorInside, correction: Correction) -> None:
    """Let a second person agree to a correction."""
    hand = Hand(principal="second:1", now_ms=inside.clock.ms, entropy=CountingEntropy())
    agree(event_id(correction), SqlLedger(inside.engine), hand, carrier=None)


def a_move(inside: CollectorInside) -> Moved:
    """Let a chip move inside a declared site, and return what was recorded of it."""
    put(inside, declared(site_of("ams-1")))
    a, b = inside.enrol("a", chips=2), inside.enrol("b", chips=1)
    inside.report(inside.full(a), inside.full(b))
    stays, goes = a.inventory.chips
    inside.pass_time(MINUTE_MS)
    a.inventory, b.inventory = (
        inventory_of(stays),
        inventory_of(*b.inventory.chips, goes),
    )
    inside.report(inside.full(a), inside.full(b))
    with SqlReads(inside.engine).snapshot() as snapshot:
        (record,) = snapshot.attested_records(now(inside), site="ams-1", kind="moved")
    assert isinstance(record.event, Moved)
    return record.event


def now(inside: CollectorInside) -> When:
    """Return the present as both times."""
    return When(as_of_ms=inside.clock.ms, known_at_ms=inside.clock.ms)


def key_of(inside: CollectorInside) -> EventId:
    """Return the id of the only move."""
    ((key,),) = inside.rows("SELECT id FROM attested_events WHERE type = 'moved'")
    return EventId(key)


def confirmation(inside: CollectorInside) -> Confirmed:
    """Return the operator's word on the move."""
    return Confirmed(
        occurred_at_ms=inside.clock.ms, confirms=key_of(inside), role=Role.OPERATOR, party="acme"
    )


def test_the_operator_confirms_a_move_in_the_ledger(inside: CollectorInside) -> None:
    """The word stands beside it, at the site it is about; nothing but the paper part is read."""
    a_move(inside)
    put(inside, confirmation(inside), role=Role.OPERATOR)
    with SqlReads(inside.engine).snapshot() as snapshot:
        entered = snapshot.family_records(now(inside), site="ams-1")
        assert [type(one.event).__name__ for one in entered] == ["SiteDeclared", "Confirmed"]
        own = snapshot.attested_records(now(inside), site="ams-1")
        assert [type(one.event).__name__ for one in own] == ["Installed", "Installed", "Moved"]
        assert snapshot.all_records(now(inside)) == entered
    book = fold([*entered, *own])
    assert len(book.answers(key_of(inside), inside.clock.ms)) == 1


def test_a_wrong_move_is_corrected_and_so_is_a_wrong_confirmation(
    inside: CollectorInside,
) -> None:
    """In the order of what they name: the confirmation first."""
    a_move(inside)
    word = put(inside, confirmation(inside), role=Role.OPERATOR)
    wrong = Correction(
        occurred_at_ms=inside.clock.ms, corrects=key_of(inside), reason="a bench of the vendor"
    )
    with pytest.raises(BookError) as caught:
        put(inside, wrong)
    assert [problem.code for problem in caught.value.problems] == [Code.EVENT_ANSWERED]
    early = Correction(occurred_at_ms=inside.clock.ms, corrects=word, reason="too early")
    put(inside, early)
    agreed_to(inside, early)
    put(inside, wrong)
    agreed_to(inside, wrong)
    ask = LedgerAsked(when=now(inside), scope=None, kind="moved")
    with SqlReads(inside.engine).snapshot() as snapshot:
        (entry,) = snapshot.ledger_page(ask, limit=10)
    assert entry.corrected_by is not None
    assert entry.corrected_by[1] == "a bench of the vendor"


def test_nobody_enters_one(inside: CollectorInside) -> None:
    """Neither the one that is there nor one like it."""
    event = a_move(inside)
    for chips in (event.chips, event.chips[:1] * 2):
        made = Moved(
            occurred_at_ms=event.occurred_at_ms - 1,
            site="ams-1",
            from_host=event.from_host,
            host=event.host,
            token=event.token,
            chips=chips,
        )
        with pytest.raises(BookError) as caught:
            put(inside, made)
        assert [one.code for one in caught.value.problems] == [Code.EVENT_FROM_ATTESTATION]


def account(role: Account, *sites: str) -> Principal:
    """Return somebody with an account."""
    return Principal(
        id="p",
        name=f"the {role}",
        role=role,
        sites=frozenset(sites) or None,
        created_ms=0,
        expires_ms=None,
        revoked_ms=None,
    )


def test_the_operator_confirms_and_never_takes_out_what_was_recorded(
    inside: CollectorInside,
) -> None:
    """An auditor may take it out, and speaks for no operator."""
    a_move(inside)
    word = confirmation(inside)
    wrong = Correction(occurred_at_ms=inside.clock.ms, corrects=key_of(inside), reason="no")
    with SqlReads(inside.engine).snapshot() as snapshot:
        book = fold(snapshot.attested_records(now(inside), site="ams-1"))
    own, other = account(Account.OPERATOR, "ams-1"), account(Account.OPERATOR, "kul-1")
    auditor = account(Account.AUDITOR)
    assert entry_problems(own, word, book) == ()
    assert entry_problems(auditor, wrong, book) == ()
    for who, what in ((own, wrong), (other, word), (auditor, word)):
        assert [one.code for one in entry_problems(who, what, book)] == [Code.NOT_YOURS_TO_ENTER]


def test_readers_find_them_by_kind_and_by_id(inside: CollectorInside) -> None:
    """With the words of the page, in their scope alone, and apart from what people entered."""
    event = a_move(inside)
    when = now(inside)
    with SqlReads(inside.engine).snapshot() as snapshot:
        asked = EventsAsked(when=when, scope=frozenset({"ams-1"}), kind="moved")
        (view,) = snapshot.events(asked, after=0, limit=10)
        assert view.words == f"1 H100-SXM5-80GB from {event.from_host} to {event.host}"
        assert (view.principal, view.site) == ("collector", "ams-1")
        assert snapshot.event(view.id, scope=None) == view
        assert snapshot.event(view.id, scope=frozenset({"kul-1"})) is None
        foreign = EventsAsked(when=when, scope=frozenset({"kul-1"}), kind="moved")
        assert snapshot.events(foreign, after=0, limit=10) == []
        entered = EventsAsked(when=when, scope=None)
        assert [one.type for one in snapshot.events(entered, after=0, limit=10)] == [
            "site-declared"
        ]
        listed = LedgerAsked(when=when, scope=None, key=view.id)
        (entry,) = snapshot.ledger_page(listed, limit=1)
        assert [str(one.strength) for one in entry.statements] == ["attested"]
        log = snapshot.log_entries(scope=frozenset({"ams-1"}), after=-1, limit=100)
        assert sum(one.type == "event" and one.record is not None for one in log) >= 3


def test_what_happened_later_is_not_known_yet(inside: CollectorInside) -> None:
    """Neither time sees beyond itself."""
    event = a_move(inside)
    before = event.occurred_at_ms - 1
    for when in (
        When(as_of_ms=before, known_at_ms=inside.clock.ms),
        When(as_of_ms=inside.clock.ms, known_at_ms=before),
    ):
        with SqlReads(inside.engine).snapshot() as snapshot:
            asked = EventsAsked(when=when, scope=None, kind="moved")
            assert snapshot.events(asked, after=0, limit=10) == []


def found(inside: CollectorInside) -> list[str]:
    """Return what of the move is found at its site now, as kinds of facts."""
    measure = Measure(tables=TABLES, silence_limit_ms=SILENCE_MS, appraisal=shipped_policy())
    with SqlReads(inside.engine).snapshot() as snapshot:
        watched = Lookout(snapshot, now(inside), measure).site("ams-1")
    return [str(fact.kind) for fact in watched.facts if fact.kind is FactKind.MOVED_UNCONFIRMED]


def test_a_move_that_nobody_confirms_in_three_days_is_found(inside: CollectorInside) -> None:
    """Not a look before; and no more once the operator has spoken."""
    a_move(inside)
    inside.clock.ms += 3 * 24 * HOUR_MS
    assert found(inside) == []
    inside.clock.ms += 1
    assert found(inside) == ["moved-unconfirmed"]
    put(inside, confirmation(inside), role=Role.OPERATOR)
    assert found(inside) == []
