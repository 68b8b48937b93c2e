"""Who says to hold which chip, and what happens when two hosts say so."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from chipledger_book.catalogue import ObservedModel
from chipledger_book.terms import day_of
from chipledger_evidence.inventory import Inventory, Status
from chipledger_server.domain.crosscheck import Checked, Line, Listed, State, check, listed
from chipledger_server.domain.duplicates import Claim, overlaps, settle
from chipledger_server.domain.findings import MOST_LISTED, About, Kind, finding_id
from chipledger_server.domain.hosts import HostState, LoggedToken
from chipledger_server.domain.identity import AliasKind, Known, Resolved, resolve
from chipledger_server.usecases.sequencing.models import Models
from chipledger_server.usecases.sequencing.noting import Noting
from chipledger_server.usecases.sequencing.store import SequenceStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """Keeps claims to chips.

    Attributes:
        store: where they are kept.
        noting: where findings go.
        models: the chip models that are known.
        signature_ms: how long a chip's own signature decides.
        touched: chips of which the claims may have changed; emptied by whoever looks at them.
    """

    store: SequenceStore
    noting: Noting
    models: Models
    signature_ms: int
    touched: set[int] = field(default_factory=set)
    _listed: dict[str, Listed | None] = field(default_factory=dict)

    def take(self, host: HostState, inventory: Inventory, token: LoggedToken) -> None:
        """Make `inventory` what `host` holds from this token on.

        A failed scan gives nothing up: what it does not list was not looked at. Nor does a line
        that another view does not confirm: the chip counts for nothing, and stays this host's.
        """
        self._listed.clear()
        checked = check(inventory)
        (held, doubted), changes = self._resolve(host, checked, token)
        kept = held | (host.chips & doubted)
        gone = host.chips - kept if inventory.status is Status.OK else frozenset[int]()
        self.touched.update(held, gone)
        unanswered = {chip for chip in gone if self._unanswered(host, chip)}
        for chip in gone - unanswered:
            self._release(host, chip, token)
        for chip in sorted(held - host.chips):
            self.store.claim(chip, host.id, token.received_ms)
            for other in self.store.claimants(chip, host.id):
                host.rivals.setdefault(other.id, set()).add(chip)
                other.rivals.setdefault(host.id, set()).add(chip)
        host.chips = kept | unanswered if inventory.status is Status.OK else host.chips | held
        self._note(host, inventory, checked, token)
        if changes:
            listed = changes[:MOST_LISTED]
            detail = {
                "before": sorted({name for change in listed for name in change.before}),
                "changes": [change.changed for change in listed],
            }
            self.noting.event(host, Kind.IDENTITY_CHANGED, token, detail)

    def watch(self, host: HostState, before_ms: int, token: LoggedToken) -> None:
        """Find the chips of `host` that a rival was seen with since its sighting before."""
        self._listed.clear()
        met: list[tuple[int, Claim, Claim]] = []
        self.touched.update(*host.rivals.values())
        for other_id in sorted(host.rivals):
            other = self.store.host_named(other_id)
            if other.fresh_ms is None or not overlaps(before_ms, other.fresh_ms):
                continue
            held_before = sorted(
                chip
                for chip in host.rivals[other_id]
                if self.store.claim_of(chip, host.id).since_ms <= before_ms
            )
            for chip in held_before:
                if self._holds(host, chip):
                    met += self._meet(host, other, chip, before_ms=before_ms, token=token)
        for chips in _by_pair(met):
            self._note_dispute(chips, token.received_ms)

    def signed(self, host: HostState, chips: Iterable[int], at_ms: int) -> None:
        """Let claims of `host` count again whose chips have now signed there, and not elsewhere."""
        won: list[tuple[int, Claim, Claim]] = []
        for chip in sorted(chips):
            self.touched.add(chip)
            for rival in self.store.disputed_for(chip, host.id):
                kept, lost = self._settle(chip, host.id, rival, at_ms)
                if kept.host == host.id:
                    self.store.turn_dispute(chip, host.id, rival, at_ms)
                    won.append((chip, lost, kept))
        for turned in _by_pair(won):
            self._note_dispute(turned, at_ms)

    def _meet(
        self, host: HostState, other: HostState, chip: int, *, before_ms: int, token: LoggedToken
    ) -> Iterator[tuple[int, Claim, Claim]]:
        """Dispute a chip that `host` holds and a rival was seen with since `before_ms`.

        Yields the chip, the claim that does not count and the one that does.
        """
        given_up = not self._holds(other, chip)
        between = not given_up or before_ms < self.store.claim_of(chip, other.id).since_ms
        if between:
            yield (chip, *self._dispute(host, other, chip, token.received_ms))
        if given_up and (between or not self._unanswered(other, chip)):
            self._release(other, chip, token)

    def _unanswered(self, host: HostState, chip: int) -> bool:
        """Tell whether another claimant has not reported since `host` claimed a chip.

        Such a claim outlives its end until that host has spoken: it could otherwise be made and
        given up between two reports of the other, and the chip would seem to have moved away.
        """
        rivals = [name for name, chips in host.rivals.items() if chip in chips]
        if not rivals:
            return False
        since_ms = self.store.claim_of(chip, host.id).since_ms
        heard = [self.store.host_named(name).fresh_ms for name in rivals]
        return any(fresh_ms is not None and fresh_ms < since_ms for fresh_ms in heard)

    def _holds(self, host: HostState, chip: int) -> bool:
        """Tell whether the inventory a host last named holds a chip; an unknown one may.

        So does the one before a failed scan, as long as no scan has succeeded since.
        """
        named = None if host.inv is None else self._lines(host.inv)
        if named is None or chip in named.held or chip in named.doubted:
            return True
        if host.held is None or host.held == host.inv:
            return False
        before = self._lines(host.held)
        return before is not None and (chip in before.held or chip in before.doubted)

    def _lines(self, digest: str) -> Listed | None:
        """Return the chips of an inventory, read once for all rivals that are looked at."""
        if digest not in self._listed:
            self._listed[digest] = self.store.lines(digest)
        return self._listed[digest]

    def _dispute(
        self, host: HostState, other: HostState, chip: int, at_ms: int
    ) -> tuple[Claim, Claim]:
        """Make one of two claims not count, and return it and the one that does."""
        _forget_rivals(host, other, chip)
        kept, lost = self._settle(chip, host.id, other.id, at_ms)
        self.store.begin_dispute(chip, lost.host, kept.host, lost.since_ms)
        return lost, kept

    def _settle(self, chip: int, one: str, other: str, at_ms: int) -> tuple[Claim, Claim]:
        return settle(
            self.store.claim_of(chip, one),
            self.store.claim_of(chip, other),
            signed_from_ms=at_ms - self.signature_ms,
        )

    def _note_dispute(self, disputed: Sequence[tuple[int, Claim, Claim]], at_ms: int) -> None:
        """Note that claims of one host do not count beside another's: one finding a pair.

        However often the two take chips from each other, it is the same finding.
        """
        _, lost, kept = disputed[0]
        kind = Kind.DUPLICATE_IDENTITY
        known = self.store.finding_detail(finding_id(kind, lost.host, kept.host))
        detail: dict[str, Any] = dict(known) if known else {"chips": [], "ids": [], "more": False}
        new = [chip for chip, _, _ in disputed if chip not in detail["ids"]]
        listed = new[: MOST_LISTED - len(detail["ids"])]
        detail |= {
            "chips": [*detail["chips"], *(self._called(chip, lost.host) for chip in listed)],
            "disputed_host": lost.host,
            "disputed_since_ms": lost.since_ms,
            "disputed_site": lost.site,
            "ids": [*detail["ids"], *listed],
            "kept_host": kept.host,
            "kept_since_ms": kept.since_ms,
            "kept_site": kept.site,
            "more": detail["more"] or len(listed) < len(new),
        }
        about = About(kind=kind, subject=lost.host, site=lost.site, host=lost.host)
        if known is None:
            self.noting.open(about, kept.host, at_ms, detail)
        else:
            key = finding_id(kind, lost.host, kept.host)
            self.noting.again(key, about, at_ms, detail=detail, grown=bool(listed))

    def _called(self, chip: int, host: str) -> str:
        """Return what a host calls a chip."""
        line = self.store.line_of(chip, host)
        names = [
            f"PDI {line.pdi}" if line.pdi else "",
            f"board {line.serial}" if line.serial else "",
        ]
        return f"{line.name or 'a chip'} ({', '.join(filter(None, (line.uuid, *names)))})"

    def _release(self, host: HostState, chip: int, token: LoggedToken) -> None:
        self.store.unclaim(chip, host.id)
        self.touched.add(chip)
        host.chips -= {chip}
        rivals = [name for name, chips in host.rivals.items() if chip in chips]
        for other in map(self.store.host_named, rivals):
            _forget_rivals(host, other, chip)
            if not self._holds(other, chip) and not self._unanswered(other, chip):
                self._release(other, chip, token)
        self.store.end_disputes(chip, host.id, token.received_ms)

    def _resolve(
        self, host: HostState, checked: Checked, token: LoggedToken
    ) -> tuple[Listed, list[Resolved]]:
        """Return the chips listed, and the pairs of identifiers that changed."""
        known = self.store.lines(token.claims.inv)
        if known is not None:
            return known, []
        named = self.store.aliases(_names(checked.lines))
        resolved: list[tuple[Line, int | None]] = []
        changes: list[Resolved] = []
        for line in checked.lines:
            chip = None
            if line.state is not State.NOT_PHYSICAL and (line.pdi or line.uuid):
                by_pdi, by_uuid = named.get(("pdi", line.pdi)), named.get(("uuid", line.uuid))
                if by_pdi is not None and by_pdi == by_uuid:
                    chip = by_pdi
                else:
                    chip = self._identify(host, line, token, changes)
            resolved.append((line, chip))
        self.store.put_lines(token.claims.inv, resolved)
        return listed((chip, line.state) for line, chip in resolved), changes

    def _identify(
        self, host: HostState, line: Line, token: LoggedToken, changes: list[Resolved]
    ) -> int:
        """Return the chip of a line whose aliases do not simply agree on one."""
        named = self.store.aliases(_names([line]))  # anew: the line before may have taught some
        by_pdi, by_uuid = named.get(("pdi", line.pdi)), named.get(("uuid", line.uuid))
        known = Known(
            by_pdi=by_pdi,
            by_uuid=by_uuid,
            pdis_of_uuid=frozenset() if by_uuid is None else self.store.aliases_of(by_uuid, "pdi"),
            uuids_of_pdi=frozenset() if by_pdi is None else self.store.aliases_of(by_pdi, "uuid"),
        )
        answer = resolve(line.pdi, line.uuid, known)
        chip = answer.chip
        if chip is None:
            chip = self.store.new_chip(token.received_ms, host.id)
        for kind, value in answer.learn:
            self.store.learn(kind, value, chip, token.received_ms)
        if answer.changed is not None:
            changes.append(answer)
        return chip

    def _note(
        self, host: HostState, inventory: Inventory, checked: Checked, token: LoggedToken
    ) -> None:
        differences = list(checked.differences[:MOST_LISTED])
        self.noting.condition(
            host,
            Kind.PCI_NVML_DIFFER,
            token,
            {"differences": differences} if differences else None,
        )
        what = incomplete(inventory)
        self.noting.condition(host, Kind.SCAN_INCOMPLETE, token, {"what": what} if what else None)
        self._name(host, checked.lines, token)

    def name(self, host: HostState, inventory: Inventory, token: LoggedToken) -> None:
        """Note anew which models of `inventory` are unknown: others are known than before."""
        self._name(host, check(inventory).lines, token)

    def _name(self, host: HostState, lines: Sequence[Line], token: LoggedToken) -> None:
        models = self._unknown_models(lines, day_of(token.received_ms))
        self.noting.condition(host, Kind.UNKNOWN_SKU, token, {"models": models} if models else None)
        host.models = self.models.edition(token.received_ms)
        self.store.put_models(host)

    def _unknown_models(self, lines: Sequence[Line], day: date) -> list[str]:
        """Return in words the models that the catalogue does not hold."""
        models: dict[str, None] = {}
        for line in lines:
            if line.state not in {State.NOT_PHYSICAL, State.LOST} and not self._is_known(line, day):
                models[f"{line.name or 'a device'} (PCI {line.device or 'unknown'})"] = None
        return list(models)[:MOST_LISTED]

    def _is_known(self, line: Line, day: date) -> bool:
        observed = ObservedModel(
            device=line.device,
            subsystem=line.subsystem,
            board_part=line.board_part,
            name=line.name,
        )
        return self.models.sku(observed, day) is not None


def _by_pair(
    disputed: Sequence[tuple[int, Claim, Claim]],
) -> Iterable[Sequence[tuple[int, Claim, Claim]]]:
    """Return disputed chips by the two hosts in dispute: whose claim counts, and whose does not."""
    pairs: dict[tuple[str, str], list[tuple[int, Claim, Claim]]] = {}
    for one in disputed:
        _, lost, kept = one
        pairs.setdefault((lost.host, kept.host), []).append(one)
    return pairs.values()


def _names(lines: Sequence[Line]) -> list[tuple[AliasKind, str]]:
    names: list[tuple[AliasKind, str]] = []
    for line in lines:
        if line.pdi is not None:
            names.append(("pdi", line.pdi))
        if line.uuid is not None:
            names.append(("uuid", line.uuid))
    return names


def _forget_rivals(host: HostState, other: HostState, chip: int) -> None:
    for one, rival in ((host, other.id), (other, host.id)):
        chips = one.rivals.get(rival)
        if chips is not None:
            chips.discard(chip)
            if not chips:
                del one.rivals[rival]


def incomplete(inventory: Inventory) -> list[str]:
    """Return in words what the scan could not see."""
    what = []
    if inventory.status is not Status.OK:
        what.append(f"the scan ended as {inventory.status}")
    what += [
        f"the {view} view could not be read" for view in ("pci", "proc") if view in inventory.unread
    ]
    if inventory.device_count is not None and inventory.device_count > len(inventory.chips):
        what.append(f"NVML counts {inventory.device_count} devices, {len(inventory.chips)} listed")
    lost = sum(1 for chip in inventory.chips if chip.lost is not None)
    if lost:
        what.append(f"{lost} of {len(inventory.chips)} chips did not answer")
    return what
