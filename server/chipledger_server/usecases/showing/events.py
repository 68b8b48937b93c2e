"""Events of the ledger as readers are shown them."""

from msgspec.structs import asdict

from chipledger_book.stock import ALWAYS
from chipledger_server.usecases.reading import LedgerAsked, When
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.showing.parties import statement_view
from chipledger_server.usecases.views import EventDetail


def event_of(look: Look, key: str) -> EventDetail:
    """Return one event of the ledger with all who stood behind it at that time.

    Raises:
        Refusal: `unknown-event`, also for one the reader may not see or that was entered later.
    """
    found = look.snapshot.event(key, scope=look.scope)
    if found is None or found.recorded_ms > look.when.known_at_ms:
        raise Refusal(
            Code.UNKNOWN_EVENT,
            f"there is no event {key} that you may see at this time",
            hint="check the id, and the time you look at",
        )
    ever = When(as_of_ms=ALWAYS, known_at_ms=look.when.known_at_ms)
    asked = LedgerAsked(when=ever, scope=look.scope, key=key)
    listed = look.snapshot.ledger_page(asked, limit=1)
    return EventDetail(
        **asdict(found),
        statements=tuple(statement_view(said) for one in listed for said in one.statements),
        log_index=look.snapshot.log_index((key,)).get(key),
    )
