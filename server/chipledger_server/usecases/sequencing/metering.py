"""Odometers of a host's chips, held against the ones last read, on whatever host.

The plain case, a token of the same inventory whose odometers go on, compares two lists in memory
and writes nothing. What must outlast the token that said it is kept when a chip leaves its host,
and when a value that was read is not read any more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from chipledger_evidence.inventory import Counters
from chipledger_server.domain.findings import MOST_LISTED, Kind
from chipledger_server.domain.hosts import HostState, LoggedToken
from chipledger_server.domain.odometers import (
    MANY,
    UNKNOWN,
    Odometers,
    compare,
    given_up,
    gone_on,
    latest,
    readings,
)
from chipledger_server.domain.slots import Place
from chipledger_server.usecases.sequencing.noting import Noting
from chipledger_server.usecases.sequencing.store import SequenceStore

_NOTHING: Final = (UNKNOWN,) * MANY


class ReadingStore(Protocol):
    """Where last readings are kept."""

    def places(self, inventory: str) -> Sequence[Place]:
        """Return the chips of an inventory in its order; none while it is not resolved."""
        ...

    def last_counters(self, host: HostState) -> Sequence[Counters]:
        """Return the counters of a host's newest fresh token."""
        ...

    def last_read(self, chip: int, host: str | None = None) -> Sequence[int]:
        """Return a chip's odometers as kept by any host, or by one."""
        ...

    def keep_read(self, chip: int, host: str, values: Sequence[int], at_ms: int) -> None:
        """Keep a chip's odometers, where they are known."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Metering:
    """Compares odometers.

    Attributes:
        store: state of hosts and chips.
        kept: what was last read.
        noting: where findings go.
    """

    store: SequenceStore
    kept: ReadingStore
    noting: Noting

    def recall(self, host: HostState) -> None:
        """Read a host's odometers again, as its newest fresh token left them."""
        if host.inv is None or host.fresh_ms is None:
            return
        places = self.kept.places(host.inv)
        values = readings(self.kept.last_counters(host), len(places))
        kept = [value for place in places for value in self._kept(place, host.id)]
        gaps = {
            at: kept[at]
            for at, value in enumerate(values)
            if value == UNKNOWN and kept[at] != UNKNOWN
        }
        host.odometers = Odometers(inv=host.inv, values=values, gaps=gaps)

    def heard(self, host: HostState, token: LoggedToken) -> None:
        """Hold a fresh token's odometers against the ones last read."""
        claims, known = token.claims, host.odometers
        same = known is not None and known.inv == claims.inv
        if known is None or not same or not gone_on(known, claims.counters):
            self._compare(host, token)

    def _compare(self, host: HostState, token: LoggedToken) -> None:
        claims, known = token.claims, host.odometers
        places = self.kept.places(claims.inv)
        before = self._before(host, places, token)
        values = readings(claims.counters, len(places))
        steps, gaps = compare(before, values)
        same = known is not None and known.inv == claims.inv
        new = [at for at in gaps if not same or known is None or at not in known.gaps]
        self._keep(host, places, {at: gaps[at] for at in new}, token)
        if same:
            fields = [f"{name} of {places[at].name}" for at, name in given_up(new, claims.counters)]
            if fields:
                detail = {"fields": fields[:MOST_LISTED]}
                self.noting.event(host, Kind.FIELD_WENT_MISSING, token, detail)
        if steps:
            counters = [
                f"{step.name} of {places[step.chip].name}: {step.before} before, now {step.now}"
                for step in steps[:MOST_LISTED]
            ]
            self.noting.event(host, Kind.COUNTER_BACKWARD, token, {"counters": counters})
        resolved = host.run is not None
        host.odometers = Odometers(inv=claims.inv, values=values, gaps=gaps) if resolved else None

    def _before(
        self, host: HostState, places: Sequence[Place], token: LoggedToken
    ) -> Sequence[int]:
        """Return what was last read of the chips in `places`, and keep that of those that left."""
        known = host.odometers
        if known is not None and known.inv == token.claims.inv:
            return known.known()
        here = {} if known is None else self._by_chip(known)
        staying = {place.chip for place in places}
        for chip, values in here.items():
            if chip not in staying:
                self.kept.keep_read(chip, host.id, values, token.received_ms)
        return [
            value
            for place in places
            for value in (
                _NOTHING
                if place.chip is None
                else here.get(place.chip) or self._elsewhere(host, place.chip)
            )
        ]

    def _by_chip(self, known: Odometers) -> dict[int, Sequence[int]]:
        values = known.known()
        return {
            place.chip: values[at * MANY : (at + 1) * MANY]
            for at, place in enumerate(self.kept.places(known.inv))
            if place.chip is not None
        }

    def _elsewhere(self, host: HostState, chip: int) -> Sequence[int]:
        """Return what other hosts that hold a chip last read, else what was last kept of it."""
        found = [
            self._by_chip(other.odometers).get(chip, _NOTHING)
            for other in self._rivals(host, chip)
            if other.odometers is not None
        ]
        return latest(found, self.kept.last_read(chip))

    def _rivals(self, host: HostState, chip: int) -> Iterator[HostState]:
        for name in sorted(name for name, chips in host.rivals.items() if chip in chips):
            other = self.store.host_named(name)
            if other.odometers is None and other.run is not None:
                self.recall(other)
            yield other

    def _kept(self, place: Place, host: str) -> Sequence[int]:
        return _NOTHING if place.chip is None else self.kept.last_read(place.chip, host)

    def _keep(
        self, host: HostState, places: Sequence[Place], gaps: Mapping[int, int], token: LoggedToken
    ) -> None:
        for at, value in gaps.items():
            chip = places[at // MANY].chip
            if chip is not None:
                values = [value if one == at % MANY else UNKNOWN for one in range(MANY)]
                self.kept.keep_read(chip, host.id, values, token.received_ms)
