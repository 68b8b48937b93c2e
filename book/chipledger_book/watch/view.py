"""One look at one site with what several detectors need of it, worked out once."""

from dataclasses import dataclass
from functools import cached_property

from chipledger_book.watch.astray import Departure, Elsewhere, departures, elsewhere
from chipledger_book.watch.look import Look
from chipledger_book.watch.standing import Standing, standings


@dataclass(kw_only=True)
class View(Look):
    """A look at a site, and what its chips come to."""

    @cached_property
    def standings(self) -> dict[str, Standing]:
        """What the chips of the site come to, by model."""
        return standings(self)

    @cached_property
    def elsewhere(self) -> Elsewhere:
        """Chips of the site that answer at others."""
        return elsewhere(self, self.standings)

    @cached_property
    def departures(self) -> tuple[Departure, ...]:
        """What left or rests on paper and answers."""
        return departures(self)

    @cached_property
    def departed(self) -> frozenset[str]:
        """Ids of the chips that left on paper and answer."""
        return frozenset(
            stay.chip_id
            for departure in self.departures
            for stays in departure.chips.values()
            for stay in stays
        )
