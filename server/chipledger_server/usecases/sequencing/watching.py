"""Inventories held against earlier ones: the library that answers, what is offered, and slots.

Looked at only when an inventory with another trait comes; the plain case compares three numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from chipledger_evidence.inventory import Inventory, Status
from chipledger_server.domain.findings import MOST_LISTED, Kind
from chipledger_server.domain.hosts import HostState, LoggedToken
from chipledger_server.domain.slots import Place, swapped
from chipledger_server.domain.traits import (
    Build,
    Traits,
    build_of,
    is_odd,
    suspicions,
    traits_of,
    went_missing,
)
from chipledger_server.usecases.sequencing.noting import Noting
from chipledger_server.usecases.sequencing.store import SequenceStore

LOOK_BACK: Final = 8
"""Inventories of a host that are looked through for a value that was once read."""


class WatchStore(Protocol):
    """Where last readings, slots and builds of the library are kept."""

    def inventories(self, host: str, most: int) -> Sequence[Inventory]:
        """Return the inventories of a host's newest runs, the newest first, each once."""
        ...

    def places(self, inventory: str) -> Sequence[Place]:
        """Return the chips of an inventory in its order; none while it is not resolved."""
        ...

    def serials(self, chips: Sequence[int], inventory: str) -> Mapping[int, str]:
        """Return the board serials that chips were last seen with in other inventories."""
        ...

    def slots(self, host: str) -> Mapping[str, int]:
        """Return the chip last seen in each slot of a host."""
        ...

    def keep_slots(self, host: str, slots: Mapping[str, int]) -> None:
        """Keep the chip last seen in these slots."""
        ...

    def show(self, build: Build, host: str) -> tuple[int, Sequence[int]]:
        """Note that a host shows a build; return how many show it, and how many each other."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """Compares with what was.

    Attributes:
        store: state of hosts and chips.
        kept: what is compared with.
        noting: where findings go.
    """

    store: SequenceStore
    kept: WatchStore
    noting: Noting

    def taken(
        self, host: HostState, inventory: Inventory, before: frozenset[int], token: LoggedToken
    ) -> None:
        """Compare an inventory that was just taken; `before` are the chips held until then."""
        traits, old = traits_of(inventory), self._traits_before(host)
        if old is None or old.library != traits.library:
            self._look_at_library(host, inventory, token)
        if old is not None and old.lacking != traits.lacking and old.driver == traits.driver:
            self._look_for_fields(host, inventory, token)
        if inventory.status is Status.OK and host.chips - before:
            self._look_at_slots(host, token)
        if old is None or old.names != traits.names:
            self._look_at_serials(host, token)
        if host.odometers is not None and old is not None:
            same = (old.names, old.driver) == (traits.names, traits.driver)
            host.odometers.inv = token.claims.inv if same else host.odometers.inv
        host.traits = traits

    def _traits_before(self, host: HostState) -> Traits | None:
        if host.traits is not None:
            return host.traits
        newest = self.kept.inventories(host.id, 2)
        return traits_of(newest[1]) if len(newest) > 1 else None

    def _look_at_library(self, host: HostState, inventory: Inventory, token: LoggedToken) -> None:
        reasons = suspicions(inventory)
        build = build_of(inventory)
        if build is not None:
            mine, others = self.kept.show(build, host.id)
            if is_odd(mine, others):
                reasons.append(
                    f"its digest is shown by {mine}, another one by {max(others)} hosts with"
                    f" driver {build.driver}"
                )
        detail = {"reasons": reasons[:MOST_LISTED]} if reasons else None
        self.noting.condition(host, Kind.LIBRARY_SUSPECT, token, detail)

    def _look_for_fields(self, host: HostState, inventory: Inventory, token: LoggedToken) -> None:
        before = self.kept.inventories(host.id, LOOK_BACK)[1:]
        fields = went_missing(inventory, before)
        if fields:
            detail = {"fields": fields[:MOST_LISTED]}
            self.noting.event(host, Kind.FIELD_WENT_MISSING, token, detail)

    def _look_at_serials(self, host: HostState, token: LoggedToken) -> None:
        inv = token.claims.inv
        now = {place.chip: place for place in self.kept.places(inv) if place.serial is not None}
        chips = sorted(chip for chip in now if chip is not None)
        before = self.kept.serials(chips, inv) if chips else {}
        changed = [(now[chip], old) for chip, old in before.items() if now[chip].serial != old]
        if not changed:
            return
        detail = {
            "before": sorted({old for _, old in changed[:MOST_LISTED]}),
            "changes": [
                f"{place.name} now stands on board {place.serial}, before {old}"
                for place, old in changed[:MOST_LISTED]
            ],
        }
        self.noting.event(host, Kind.IDENTITY_CHANGED, token, detail)

    def _look_at_slots(self, host: HostState, token: LoggedToken) -> None:
        places = [place for place in self.kept.places(token.claims.inv) if place.bdf is not None]
        now = {place.bdf or "": place.chip for place in places if place.chip is not None}
        before = self.kept.slots(host.id)
        swaps = swapped(before, now, lambda chip: any(self.store.claimants(chip, host.id)))
        changed = {bdf: chip for bdf, chip in now.items() if before.get(bdf) != chip}
        if changed:
            self.kept.keep_slots(host.id, changed)
        names = {place.bdf: place.name for place in places}
        changes = [
            f"{swap.bdf}: {old} before, now {names[swap.bdf]}"
            for swap in swaps[:MOST_LISTED]
            if (old := self._called(swap.before, host)) != names[swap.bdf]
        ]  # another chip under the old name is another finding
        if changes:
            self.noting.event(host, Kind.IDENTITY_CHANGED_IN_SLOT, token, {"changes": changes})

    def _called(self, chip: int, host: HostState) -> str:
        line = self.store.line_of(chip, host.id)
        return line.uuid or f"PDI {line.pdi}"
