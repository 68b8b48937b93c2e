"""Which chip models are known, by the catalogue in force at the present place of the log.

A catalogue holds from where the log says that a second person approved it, never by the clock: a
replay names the same models at the same tokens. Before the log says anything, and in a log from
before tables stood in it, the one that ships with this software holds.
"""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final, Protocol

import msgspec

from chipledger_book import shipped
from chipledger_book.catalogue import Catalogue, ObservedModel
from chipledger_book.tables import version_of
from chipledger_book.terms import day_of
from chipledger_book.timers import DAY_MS
from chipledger_server.usecases.model_names import ModelNames
from chipledger_server.usecases.rules.proposing import RuleDecision
from chipledger_server.usecases.rules.shelf import CATALOGUE

_TAKES_EFFECT: Final = frozenset({"table-shipped", "table-approved"})


class Catalogues(Protocol):
    """Catalogues that were loaded, and what the log says of them."""

    def decisions(self) -> Iterable[bytes]:
        """Return the records about catalogues that have their place in the log, in its order."""
        ...

    def catalogue(self, digest: str) -> Catalogue | None:
        """Return a loaded catalogue by its digest."""
        ...


class Models:
    """Names models at the present place of the log; read anew after `recall`."""

    def __init__(self, kept: Catalogues) -> None:
        self._kept = kept
        self._read = False
        self._day, self._edition = -1, ""
        self._hold(shipped.catalogue())

    def start_over(self) -> None:
        """Go to before the first entry of the log: what it says comes entry by entry."""
        self._hold(shipped.catalogue())
        self._read = True

    def recall(self) -> None:
        """Read anew where the log is, when it is next needed."""
        self._read = False

    def take(self, record: bytes) -> None:
        """Take up what an entry of type ``rule-set`` decides."""
        self._catch_up()
        self._decide(record)

    def edition(self, at_ms: int) -> str:
        """Return a name for what is known at a time: equal names, equal answers.

        It changes with the catalogue, and on each day on which a row begins or ends to hold.
        """
        self._catch_up()
        day = at_ms // DAY_MS
        if day != self._day:
            turned = bisect_right(self._turns, day_of(at_ms))
            self._day, self._edition = day, f"{self._digest}/{turned}"
        return self._edition

    def sku(self, model: ObservedModel, day: date) -> str | None:
        """Return the SKU of a model on a day, or None where the catalogue does not hold it."""
        self._catch_up()
        return self._names.sku(model, day)

    def _catch_up(self) -> None:
        if self._read:
            return
        self.start_over()
        for record in self._kept.decisions():
            self._decide(record)

    def _decide(self, record: bytes) -> None:
        decision = msgspec.json.decode(record, type=RuleDecision)
        if decision.action not in _TAKES_EFFECT or decision.table != CATALOGUE:
            return
        found = self._kept.catalogue(decision.digest)
        if found is not None:
            self._hold(found)

    def _hold(self, catalogue: Catalogue) -> None:
        self._names = ModelNames(catalogue)
        self._digest = version_of(catalogue).digest
        self._turns = sorted(
            {row.valid_from for row in catalogue.skus if row.valid_from is not None}
            | {row.valid_to + timedelta(1) for row in catalogue.skus if row.valid_to is not None}
        )
        self._day, self._edition = -1, ""
