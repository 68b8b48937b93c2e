"""Runs of fresh sightings joined to stays: the history of chips. Pure.

A run is one inventory on one host, unbroken. Runs of a host that list the same chip are one stay
as long as the chip was not away: neither unseen for longer than the policy allows, nor seen
elsewhere after its host had reported without it. A chip that two hosts show at once has two stays
that overlap; which of them counts is the dispute's to say.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from chipledger_book.catalogue import Catalogue, ObservedModel
from chipledger_book.physical import Stay
from chipledger_book.terms import day_of
from chipledger_evidence.appraisal.appraise import grade_of
from chipledger_server.usecases.model_names import ModelNames
from chipledger_server.usecases.physical import Patience


@dataclass(frozen=True, slots=True, kw_only=True)
class StayRule:
    """What joins sightings, and what names their models.

    Attributes:
        silence_limit_ms: how long a host may not answer.
        catalogue: the chip models that are known.
    """

    silence_limit_ms: int
    catalogue: Catalogue


class Device(msgspec.Struct, frozen=True, gc=False):
    """A chip as one inventory names it: read, and confirmed by every view."""

    chip: int
    uuid: str | None
    pdi: str | None
    serial: str | None
    model: ObservedModel


class HostRun(NamedTuple):
    """An unbroken run of fresh sightings of one inventory on one host."""

    host: str
    site: str
    inventory: bytes
    since_ms: int
    until_ms: int


class Signed(NamedTuple):
    """An unbroken run of a chip's own signatures on a host."""

    chip: int
    host: str
    since_ms: int
    until_ms: int


class Elsewhere(NamedTuple):
    """Another sighting of a chip, anywhere."""

    chip: int
    host: str
    since_ms: int
    until_ms: int


class _Open(msgspec.Struct, gc=False):
    """A stay that may go on, or the gap before the next sighting of its chip on its host."""

    chip: int
    run: HostRun
    from_ms: int
    until_ms: int
    turn: int
    device: Device
    after_gap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Histories:
    """The runs of hosts with the chips that they show, joined as far as no other host matters.

    Attributes:
        runs: the runs of all hosts concerned, any order; each host's whole.
        devices: the chips of inventories, those that are asked for.
        patience: how long a chip may be unseen.
    """

    runs: Iterable[HostRun]
    devices: Mapping[bytes, Sequence[Device]]
    patience: Patience
    _pieces: list[_Open] = field(default_factory=list)

    def __post_init__(self) -> None:
        by_host: dict[tuple[str, str], list[HostRun]] = defaultdict(list)
        for run in self.runs:
            by_host[run.host, run.site].append(run)
        for of_host in by_host.values():
            of_host.sort(key=lambda run: run.since_ms)
            self._pieces.extend(self._of_host(of_host))

    def _of_host(self, runs: Sequence[HostRun]) -> Iterator[_Open]:
        """Yield the pieces of a host's chips, each chip's in the order of time."""
        opened: dict[int, _Open] = {}
        for turn, run in enumerate(runs):
            for device in self.devices.get(run.inventory, ()):
                piece = opened.get(device.chip)
                away = piece is not None and self.patience.silent(piece.until_ms, run.since_ms)
                if piece is not None and not away and piece.turn >= turn - 1:
                    piece.until_ms, piece.turn, piece.device = run.until_ms, turn, device
                    continue
                if piece is not None:
                    yield piece
                opened[device.chip] = _Open(
                    device.chip,
                    run,
                    run.since_ms,
                    run.until_ms,
                    turn,
                    device,
                    after_gap=piece is not None and not away,
                )
        yield from opened.values()

    def doubtful(self) -> frozenset[int]:
        """Return the chips that a host reported without, and again soon after."""
        return frozenset(piece.chip for piece in self._pieces if piece.after_gap)

    def stays(
        self, elsewhere: Iterable[Elsewhere], signed: Iterable[Signed], catalogue: Catalogue
    ) -> list[Stay]:
        """Return the stays, by chip and time.

        Args:
            elsewhere: every sighting of the doubtful chips, those of these runs among them.
            signed: the chips' own signatures on these hosts.
            catalogue: names the models.
        """
        seen: dict[int, list[Elsewhere]] = defaultdict(list)
        for one in elsewhere:
            seen[one.chip].append(one)
        doubtful = self.doubtful()
        joined: dict[tuple[int, str, str], list[_Open]] = defaultdict(list)
        found: list[_Open] = []
        for piece in self._pieces:
            if piece.chip not in doubtful:
                found.append(piece)
                continue
            before = joined[piece.chip, piece.run.host, piece.run.site]
            if piece.after_gap and not _was_elsewhere(piece, before[-1], seen[piece.chip]):
                before[-1].until_ms, before[-1].device = piece.until_ms, piece.device
            else:
                before.append(piece)
        found += (piece for pieces in joined.values() for piece in pieces)
        found.sort(key=lambda piece: (piece.chip, piece.from_ms, piece.run.host))
        grades, names = _Grades(signed), ModelNames(catalogue)
        return [_stay(piece, grades, names) for piece in found]


def _was_elsewhere(piece: _Open, before: _Open, seen: Sequence[Elsewhere]) -> bool:
    return any(
        one.host != piece.run.host
        and one.until_ms >= before.until_ms
        and one.since_ms <= piece.from_ms
        for one in seen
    )


class _Grades:
    def __init__(self, signed: Iterable[Signed]) -> None:
        self._runs: dict[tuple[int, str], list[Signed]] = defaultdict(list)
        for run in signed:
            self._runs[run.chip, run.host].append(run)

    def signed(self, piece: _Open) -> bool:
        """Tell whether a chip signed for itself during a piece."""
        return bool(self._runs) and any(
            run.since_ms <= piece.until_ms and run.until_ms >= piece.from_ms
            for run in self._runs.get((piece.chip, piece.run.host), ())
        )


def _stay(piece: _Open, grades: _Grades, names: ModelNames) -> Stay:
    device = piece.device
    return Stay(
        chip_id=str(piece.chip),
        site=piece.run.site,
        host=piece.run.host,
        from_ms=piece.from_ms,
        until_ms=piece.until_ms,
        grade=grade_of(listed=True, signed=grades.signed(piece)),
        sku=names.sku(device.model, day_of(piece.until_ms)),
        pdi=device.pdi,
        uuid=device.uuid,
        board=device.serial,
    )
