"""Events of the ledger as readers are shown them."""

from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.views import EventView


def event_of(look: Look, key: str) -> EventView:
    """Return one event of the ledger.

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
    return found
