"""What bears on an event decides about it as the whole ledger does."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from chipledger_book.admission import problems
from chipledger_book.errors import BookError, Problem
from chipledger_book.events import Correction, Event, Received, Role, event_id
from chipledger_book.ledger import fold
from chipledger_book.licences import LicenceRef
from chipledger_book.movements import Confirmed
from chipledger_server.adapters.ledger import SqlLedger
from chipledger_server.usecases.book.entry import Speaker, enter
from chipledger_server.usecases.book.standing import agree
from chipledger_server.usecases.people import Hand
from chipledger_testing.book import NOW, TABLES, declared, licence, ms, pieces, record
from chipledger_testing.databases import new_database
from chipledger_testing.histories import BEFORE, STOCK, histories, later_events

LATER = ms(2026, 5)
HAND = Hand(principal="somebody", now_ms=NOW, entropy=bytes)
LINES = pieces(7), pieces(9, None)
AGAIN = licence("D-1", LINES[0])


def candidates(history: Sequence[Event]) -> st.SearchStrategy[Event]:
    """Return a strategy of events that may fit a history or not."""
    everything = [*BEFORE, *history, AGAIN]
    corrections = st.builds(
        Correction,
        occurred_at_ms=st.just(LATER),
        corrects=st.sampled_from([*map(event_id, everything), "A" * 43]),
        reason=st.just("typing error"),
    )
    licences = st.builds(lambda line: licence("D-1", line), st.sampled_from(LINES))
    charged = st.builds(
        Received,
        occurred_at_ms=st.just(LATER),
        site=st.sampled_from(("johor", "penang", "nowhere")),
        lines=st.sampled_from(tuple(STOCK.values())),
        charged_to=st.sampled_from((None, LicenceRef(issuer="BIS", number="D-1"))),
    )
    return st.one_of(
        later_events(list(history), LATER),
        corrections,
        licences,
        charged,
        st.just(declared(at=LATER)),
        st.sampled_from(everything),
    )


@settings(max_examples=40, deadline=None)
@given(histories(), st.data())
def test_admission_reads_enough(history: list[Event], data: st.DataObject) -> None:
    """Entering an event meets the same problems as against a fold of the whole ledger."""
    with TemporaryDirectory() as name:
        engine = new_database(Path(name) / "c.sqlite")
        ledger = SqlLedger(engine)
        book = fold(())
        events: list[Event] = [*BEFORE, *history]
        events += [data.draw(candidates(history)) for _ in range(4)]
        for event in events:
            wanted = tuple(problems(event, book, TABLES, now_ms=NOW))
            assert entered(event, ledger) == wanted
            if not wanted:
                book.add(record(event))
        engine.dispose()


def entered(event: Event, ledger: SqlLedger) -> tuple[Problem, ...]:
    """Enter an event; return what is wrong with it."""
    role = event.role if isinstance(event, Confirmed) else Role.OPERATOR
    try:
        done = enter(event, ledger, TABLES, HAND, speaker=Speaker(role=role, party="somebody"))
        if isinstance(event, Correction) and not done.known_before:
            agree(done.id, ledger, replace(HAND, principal="somebody else"), carrier=None)
    except BookError as error:
        return error.problems
    return ()
