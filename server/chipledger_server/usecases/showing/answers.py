"""What became of an event: who stands behind it, what answered it, and what is still open."""

from dataclasses import dataclass

from chipledger_book.ledger import fold
from chipledger_book.report import OneSided
from chipledger_book.sides import one_sided
from chipledger_book.stock import ALWAYS
from chipledger_server.usecases.listing import LedgerAsked, LedgerEntry, When
from chipledger_server.usecases.reading import WaitsAsked
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.showing.waits import WaitView, wait_view

MOST_ANSWERS = 100
MOST_WAITS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Became:
    """What became of an event.

    Attributes:
        entry: the event in the list, or None where it is not in it.
        answers: receipts, confirmations, differences and corrections that name it, the newest
            first; those of sites that the reader may not see are left out.
        more: whether there are more than are listed.
        left: what is still open between two parties, or None.
        waits: the steps that it began, by due time.
    """

    entry: LedgerEntry | None
    answers: tuple[LedgerEntry, ...]
    more: bool
    left: OneSided | None
    waits: tuple[WaitView, ...]


def became(look: Look, key: str, *, now_ms: int) -> Became:
    """Return what became of an event as known at the time of the look."""
    ever = When(as_of_ms=ALWAYS, known_at_ms=look.when.known_at_ms)
    own = look.snapshot.ledger_page(LedgerAsked(when=ever, scope=look.scope, key=key), limit=1)
    naming = LedgerAsked(when=ever, scope=look.scope, names=key)
    found = look.snapshot.ledger_page(naming, limit=MOST_ANSWERS + 1)
    began = WaitsAsked(scope=look.scope, now_ms=now_ms, event=key)
    waits = look.snapshot.waits(began, after=(0, "", ""), limit=MOST_WAITS)
    return Became(
        entry=own[0] if own else None,
        answers=tuple(found[:MOST_ANSWERS]),
        more=len(found) > MOST_ANSWERS,
        left=_left(look, own[0]) if own else None,
        waits=tuple(wait_view(wait, now_ms=now_ms) for wait in waits),
    )


def _left(look: Look, entry: LedgerEntry) -> OneSided | None:
    """Return what both parties have not said of an event, where two meet."""
    if entry.site is None or entry.type not in _MEETING:
        return None
    book = fold(look.snapshot.family_records(look.when, site=entry.site))
    catalogue = look.measure.tables.catalogue
    opened = one_sided(book, entry.site, look.when.as_of_ms, catalogue)
    return next((one for one in opened if one.event == entry.id), None)


_MEETING = frozenset({"shipment-declared", "shipped", "transfer-out", "rma-out", "rma-in"})
