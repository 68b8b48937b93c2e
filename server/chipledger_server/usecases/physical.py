"""Which chips are at a site at a time, decided from sightings. Pure.

A host's newest run of fresh sightings says what it holds. It holds it *silently* once it has
not answered for longer than the silence limit, the collector's own downtime left out. A chip
seen later on another host has moved and is no longer here; a chip claimed on two hosts at once
is disputed where the claim does not count.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from chipledger_book.catalogue import ObservedModel
from chipledger_book.physical import ChipState, SeenChip
from chipledger_evidence.appraisal.appraise import grade_of, is_current
from chipledger_evidence.appraisal.grades import Grade
from chipledger_server.domain.liveness import unseen_ms

_HOSTS_KEPT: Final = 2


class Reading(StrEnum):
    """What the newest inventory of a host says of one of its devices."""

    READ = "read"
    LOST = "lost"  # listed, but its handle failed
    UNCONFIRMED = "unconfirmed"  # the views of NVML, PCI and kernel module differ
    UNIDENTIFIED = "unidentified"  # on the PCI bus only: present, unidentified
    NOT_PHYSICAL = "not-physical"  # a vGPU: no chip of its own


class Standing(StrEnum):
    """What a claim comes to."""

    PRESENT = "present"
    SILENT = "silent"
    DISPUTED = "disputed"
    MOVED = "moved"  # seen later elsewhere
    UNCOUNTED = "uncounted"  # unconfirmed, unidentified, not physical, or lost and unknown


class Claim(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One device in the newest inventory of one host, and when that host last answered.

    Attributes:
        chip: the collector's id, None where the device is not identified.
        site: site of the host.
        host: the host.
        place: position in the inventory; devices seen on PCI alone come after the chips.
        reading: what the inventory says of it.
        since_ms: start of the unbroken run of fresh sightings.
        until_ms: newest fresh sighting up to the time asked for.
        signed_ms: newest arrival, up to that time, of the chip's own signature from this host.
    """

    chip: int | None
    site: str
    host: str
    place: int
    reading: Reading
    since_ms: int
    until_ms: int
    uuid: str | None = None
    pdi: str | None = None
    serial: str | None = None
    board_part: str | None = None
    name: str | None = None
    device: str | None = None
    subsystem: str | None = None
    bdf: str | None = None
    signed_ms: int | None = None

    @property
    def model(self) -> ObservedModel:
        """What was observed of the device's model."""
        return ObservedModel(
            device=self.device,
            subsystem=self.subsystem,
            board_part=self.board_part,
            name=self.name,
        )


class Rival(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Another host that was seen with a chip, and until when."""

    chip: int
    host: str
    until_ms: int


class Settled(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A claim, what it comes to, and how it is known."""

    claim: Claim
    standing: Standing
    grade: Grade


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How old what we know may be: a host's answer before it is silent, a chip's signature.

    Attributes:
        limit_ms: the silence limit of the policy.
        downtime: when the collector itself was not accepting, as (from, to), in milliseconds.
        signature_ms: how long a chip's own signature keeps its grade.
    """

    limit_ms: int
    downtime: Sequence[tuple[int, int]] = ()
    signature_ms: int = 0

    def silent(self, last_ms: int, at_ms: int) -> bool:
        """Tell whether a host last heard at one time is silent at another."""
        return unseen_ms(last_ms, at_ms, self.downtime) > self.limit_ms

    def signed(self, signed_ms: int | None, at_ms: int) -> bool:
        """Tell whether a signature that arrived at one time still counts at another."""
        return signed_ms is not None and is_current(
            signed_ms, at_ms=at_ms, lifetime_ms=self.signature_ms
        )


def settle(
    claims: Iterable[Claim],
    rivals: Iterable[Rival],
    disputed: frozenset[tuple[int, str]],
    *,
    patience: Patience,
    at_ms: int,
) -> tuple[Settled, ...]:
    """Return what each claim comes to at a time.

    Args:
        claims: the newest inventories of the site's hosts, device by device.
        rivals: other sightings of the same chips, anywhere.
        disputed: chip and host of every claim that does not count.
        patience: when a host is silent.
        at_ms: the time.
    """
    held = tuple(claims)
    elsewhere = _newest(rivals, held, disputed)
    silence = {until: patience.silent(until, at_ms) for until in {one.until_ms for one in held}}
    found: list[Settled] = []
    for claim in held:
        standing = _standing(claim, elsewhere, disputed, silent=silence[claim.until_ms])
        signed = claim.signed_ms is not None and patience.signed(claim.signed_ms, at_ms)
        grade = grade_of(listed=standing is not Standing.UNCOUNTED, signed=signed)
        found.append(Settled(claim=claim, standing=standing, grade=grade))
    return tuple(found)


def seen_chips(settled: Iterable[Settled]) -> tuple[SeenChip, ...]:
    """Return what the balance counts: present, silent and disputed chips."""
    states = {
        Standing.PRESENT: ChipState.PRESENT,
        Standing.SILENT: ChipState.SILENT,
        Standing.DISPUTED: ChipState.DISPUTED,
    }
    return tuple(
        SeenChip(
            chip_id=str(one.claim.chip),
            site=one.claim.site,
            host=one.claim.host,
            grade=one.grade,
            state=states[one.standing],
            model=one.claim.model,
            pdi=one.claim.pdi,
            uuid=one.claim.uuid,
            board=one.claim.serial,
        )
        for one in settled
        if one.standing in states
    )


Sighting = tuple[int, str]
"""Until when, and on which host."""


def _newest(
    rivals: Iterable[Rival], held: Sequence[Claim], disputed: frozenset[tuple[int, str]]
) -> Mapping[int, Sequence[Sighting]]:
    """Return of each chip that is seen twice the newest sightings that count, on two hosts at most.

    Those of the site itself are among them. One outweighs the other, whoever asks: more hosts
    than two say nothing more, and there may be hundreds that claim one chip.
    """
    found: dict[int, list[Sighting]] = defaultdict(list)
    for rival in rivals:
        if (rival.chip, rival.host) not in disputed:
            _keep(found[rival.chip], (rival.until_ms, rival.host))
    several = {chip for chip, times in Counter(one.chip for one in held).items() if times > 1}
    several |= found.keys()
    for claim in held if several else ():
        if claim.chip not in several or claim.chip is None:
            continue
        if (claim.chip, claim.host) not in disputed:
            _keep(found[claim.chip], (claim.until_ms, claim.host))
    return found


def _keep(newest: list[Sighting], one: Sighting) -> None:
    """Keep a sighting if it is among the newest of two hosts; the list is newest first."""
    if len(newest) == _HOSTS_KEPT and one < newest[-1]:
        return
    others = [kept for kept in newest if kept[1] != one[1]]
    same = [kept for kept in newest if kept[1] == one[1]]
    newest[:] = sorted([*others, max([*same, one])], reverse=True)[:_HOSTS_KEPT]


def _standing(
    claim: Claim,
    elsewhere: Mapping[int, Sequence[Sighting]],
    disputed: frozenset[tuple[int, str]],
    *,
    silent: bool,
) -> Standing:
    if claim.chip is None or claim.reading not in (Reading.READ, Reading.LOST):
        return Standing.UNCOUNTED
    if disputed and (claim.chip, claim.host) in disputed:
        return Standing.DISPUTED
    others = elsewhere.get(claim.chip)
    if others and any(one > (claim.until_ms, claim.host) for one in others if one[1] != claim.host):
        return Standing.MOVED
    return Standing.SILENT if silent or claim.reading is Reading.LOST else Standing.PRESENT
