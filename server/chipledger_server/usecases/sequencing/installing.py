"""What the collector records by itself of chips that come to a site and move inside it.

Looked at only when what hosts claim has changed, and on a full report of a host of whose chips no
place is known, as after an upgrade: a plain heartbeat costs one comparison. The place of a chip is
the host whose claim to it counts; a place that changes is an event of the book.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from chipledger_book.catalogue import ObservedModel
from chipledger_book.movements import Attested, AttestedChip, Installed, Moved
from chipledger_book.terms import Pdi, Serial, Uuid, day_of
from chipledger_evidence.appraisal.appraise import grade_of
from chipledger_server.domain.hosts import HostState
from chipledger_server.domain.liveness import Span, unseen_ms
from chipledger_server.usecases.sequencing.models import Models
from chipledger_server.usecases.sequencing.store import SequenceStore

_LISTED: Final = grade_of(listed=True, signed=False)
"""How a report shows its chips. What they sign is judged later, and is a result of its own."""


class Place(NamedTuple):
    """Where a chip was recorded last.

    Attributes:
        site: where.
        host: on which host.
        since_ms: from when.
        left_ms: when it was last seen there, once no host claims it any more.
    """

    site: str
    host: str
    since_ms: int
    left_ms: int | None


class Shown(NamedTuple):
    """A chip as an inventory shows it: read, and confirmed by every view."""

    uuid: str | None
    pdi: str | None
    serial: str | None
    slot: str | None
    model: ObservedModel


class Places(Protocol):
    """Where chips are kept to be, and the ledger of it."""

    def counted(self, chips: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """Return the hosts whose claims count, of every chip that any host claims."""
        ...

    def placed(self, chips: Sequence[int]) -> Mapping[int, Place]:
        """Return the places of chips that have one."""
        ...

    def place(self, chips: Sequence[int], place: Place) -> None:
        """Put chips into a place."""
        ...

    def leave(self, chips: Sequence[int], last_ms: int) -> None:
        """Note that nobody claims chips any more, and when they were last seen."""
        ...

    def shown(self, inventory: str) -> Mapping[int, Shown]:
        """Return the chips that an inventory shows."""
        ...

    def enter(self, event: Attested) -> None:
        """Record an event."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What made chips be looked at.

    Attributes:
        token: the report, by its id.
        at_ms: when it arrived.
        host: whose it is.
        before_ms: newest fresh sighting of that host before it.
        downtime: when the collector itself was not accepting.
    """

    token: str
    at_ms: int
    host: str
    before_ms: int | None
    downtime: Sequence[Span]


class _Way(NamedTuple):
    """How chips came to a host: from which other one, None where they were installed."""

    host: str
    site: str
    from_host: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Installing:
    """Records where chips come to be.

    Attributes:
        store: state of hosts.
        kept: places of chips, and the ledger.
        names: names models.
        silence_limit_ms: how long a chip may be in no host before it was away.
    """

    store: SequenceStore
    kept: Places
    names: Models
    silence_limit_ms: int

    def look(self, chips: Iterable[int], cause: Cause) -> None:
        """Record what became of the places of chips of which the claims may have changed."""
        looked = sorted(chips)
        counted, placed = self.kept.counted(looked), self.kept.placed(looked)
        ways: dict[_Way, dict[int, Shown]] = {}
        shown: dict[str, Mapping[int, Shown]] = {}
        for chip in looked:
            place = placed.get(chip)
            if chip not in counted:
                self._gone(chip, place, cause)
                continue
            host = self._newest(counted[chip])
            if host is None:
                continue  # every claim is disputed by another: where it was is as good as any
            if host.id not in shown:
                shown[host.id] = self._shown(host)
            if chip not in shown[host.id]:
                continue  # claimed from before, and not shown now
            if place is not None and (place.site, place.host) == (host.site, host.id):
                if place.left_ms is None:
                    continue
                if not self._was_away(place, cause):
                    self.kept.place([chip], place._replace(left_ms=None))
                    continue
            way = _Way(host.id, host.site, self._came_from(place, host, cause))
            ways.setdefault(way, {})[chip] = shown[host.id][chip]
        for way, found in ways.items():
            self._record(way, found, placed, cause)

    def unplaced(self, host: HostState) -> Collection[int]:
        """Return the chips of a host none of which has a place, else nothing.

        Such is a host that reported the same chips before places were kept. Asked of each host
        once while its state is kept.
        """
        if not host.placed:
            host.placed = bool(self.kept.placed(sorted(host.chips)))
        return () if host.placed else host.chips

    def _newest(self, hosts: Sequence[str]) -> HostState | None:
        """Return the host that was heard last: what is seen on it later has moved there."""
        states = map(self.store.host_named, hosts)
        return max(states, key=lambda host: (host.fresh_ms or 0, host.id), default=None)

    def _shown(self, host: HostState) -> Mapping[int, Shown]:
        """Return what a host shows, and what it showed before its scan failed."""
        named = dict.fromkeys(inv for inv in (host.held, host.inv) if inv is not None)
        found: dict[int, Shown] = {}
        for inventory in named:
            found |= self.kept.shown(inventory)
        return found

    def _gone(self, chip: int, place: Place | None, cause: Cause) -> None:
        if place is None or place.left_ms is not None:
            return
        last_ms = cause.before_ms
        if place.host != cause.host:
            last_ms = self.store.host_named(place.host).fresh_ms
        self.kept.leave([chip], cause.at_ms if last_ms is None else last_ms)

    def _was_away(self, place: Place, cause: Cause) -> bool:
        if place.left_ms is None:
            return False
        return unseen_ms(place.left_ms, cause.at_ms, cause.downtime) > self.silence_limit_ms

    def _came_from(self, place: Place | None, host: HostState, cause: Cause) -> str | None:
        """Return the host of the same site that a chip has moved from, if it has."""
        if place is None or place.site != host.site or self._was_away(place, cause):
            return None
        return place.host

    def _record(
        self, way: _Way, found: Mapping[int, Shown], placed: Mapping[int, Place], cause: Cause
    ) -> None:
        # Two reports may arrive in one millisecond; of one chip no two events do.
        earlier = [placed[chip].since_ms + 1 for chip in found if chip in placed]
        at_ms = max([cause.at_ms, *earlier])
        chips = tuple(self._attested(chip, at_ms) for chip in found.values())
        self.kept.place([*found], Place(way.site, way.host, at_ms, None))
        self.store.host_named(way.host).placed = True
        if way.from_host is None:
            self.kept.enter(
                Installed(
                    occurred_at_ms=at_ms,
                    site=way.site,
                    host=way.host,
                    token=cause.token,
                    chips=chips,
                )
            )
        else:
            self.kept.enter(
                Moved(
                    occurred_at_ms=at_ms,
                    site=way.site,
                    from_host=way.from_host,
                    host=way.host,
                    token=cause.token,
                    chips=chips,
                )
            )

    def _attested(self, chip: Shown, at_ms: int) -> AttestedChip:
        return AttestedChip(
            grade=_LISTED,
            pdi=_if_fit(chip.pdi, Pdi),
            uuid=_if_fit(chip.uuid, Uuid),
            serial=_if_fit(chip.serial, Serial),
            sku=self.names.sku(chip.model, day_of(at_ms)),
            slot=chip.slot,
        )


def _if_fit(name: str | None, kind: Any) -> str | None:  # noqa: ANN401 - an annotated type
    """Return a name that a host gave, where the ledger can hold it."""
    if name is None:
        return None
    try:
        return str(msgspec.convert(name, kind))
    except msgspec.ValidationError:
        return None
