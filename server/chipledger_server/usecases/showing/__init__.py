"""Putting together what a reader is shown, for API and screens alike."""

from dataclasses import dataclass
from typing import Final

from chipledger_book.catalogue import Identified, ObservedModel, Sku, identify
from chipledger_book.terms import day_of
from chipledger_server.usecases.book.reconcile import Measure
from chipledger_server.usecases.physical import Patience
from chipledger_server.usecases.reading import Snapshot, When

ANOTHER_SITE: Final = "another site"
"""What a reader is told instead of a site outside its scope."""
ANOTHER_HOST: Final = "another host"
"""What a reader is told instead of a host of such a site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at the database.

    Attributes:
        snapshot: the database at one moment.
        scope: sites the reader may see; None: everything.
        when: the two times of the question.
        measure: tables and policy.
    """

    snapshot: Snapshot
    scope: frozenset[str] | None
    when: When
    measure: Measure

    def sees(self, site: str | None) -> bool:
        """Tell whether the reader may see what belongs to a site."""
        return self.scope is None or (site is not None and site in self.scope)

    def patience(self) -> Patience:
        """Return when a host is silent, and a chip's signature too old."""
        return self.measure.patience(self.snapshot.downtime(self.when))

    def model(self, observed: ObservedModel) -> Sku | None:
        """Return the model an observation names, or None."""
        found = identify(observed, self.measure.tables.catalogue, day_of(self.when.as_of_ms))
        return found.sku if isinstance(found, Identified) else None
