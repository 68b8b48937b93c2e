"""The history of chips, read from runs of sightings, the chips of inventories, and signatures.

What is read of a site are its own runs, however many there are in the database. Of a chip that a
host reported without and again soon after, all sightings are read: it may have been elsewhere.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, select

from chipledger_book.catalogue import ObservedModel
from chipledger_book.physical import Stay
from chipledger_server.adapters import schema
from chipledger_server.adapters.reads.plain import Plain
from chipledger_server.adapters.reads.sightings import AT, SITE, downtime, later_pdi, until_of
from chipledger_server.usecases.physical import Patience, Reading
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.stays import (
    Device,
    Elsewhere,
    Histories,
    HostRun,
    Signed,
    StayRule,
)

_HOSTS = schema.hosts.c
_RUNS = schema.presence.c
_DEVICES = schema.inventory_chips.c
_ALIASES = schema.chip_aliases.c
_SIGNED = schema.signatures.c
_MOST_PARAMETERS = 10_000
T = TypeVar("T")


def stays(connection: Connection, when: When, *, site: str, rule: StayRule) -> list[Stay]:
    """Return the stays of chips on hosts of a site, while these stood there."""
    own = _RUNS.site == site
    hosts = select(_RUNS.host).where(own, _RUNS.since_ms <= when.seen_until_ms)
    rows = _listing_of_site().rows(connection, site=site, at=when.seen_until_ms)
    devices = _devices(connection, when, rows)
    return _joined(connection, when, rule, runs=own, hosts=hosts, devices=devices)


@lru_cache
def _listing_of_site() -> Plain:
    shown = select(_RUNS.inventory).where(_RUNS.site == SITE, _RUNS.since_ms <= AT)
    return Plain(_listing(_DEVICES.inventory.in_(shown)))


def stays_of(
    connection: Connection, when: When, names: Collection[str], *, rule: StayRule
) -> list[Stay]:
    """Return the stays anywhere of the chips that bear one of these names."""
    found: list[Stay] = []
    chips = _named(connection, when, names)
    for part in _parts(sorted(chips)):
        rows = connection.execute(_listing(_DEVICES.chip.in_(part))).all()
        devices = _devices(connection, when, rows)
        listing = select(_DEVICES.inventory).where(_DEVICES.chip.in_(part))
        hosts = select(_RUNS.host).where(
            _RUNS.inventory.in_(listing), _RUNS.since_ms <= when.seen_until_ms
        )
        runs = _RUNS.host.in_(hosts)
        found += _joined(connection, when, rule, runs=runs, hosts=hosts, devices=devices)
    return sorted(found, key=lambda stay: (int(stay.chip_id), stay.from_ms, stay.host))


def _joined(
    connection: Connection,
    when: When,
    rule: StayRule,
    *,
    runs: ColumnElement[bool],
    hosts: Select[Any],
    devices: dict[bytes, list[Device]],
) -> list[Stay]:
    patience = Patience(limit_ms=rule.silence_limit_ms, downtime=downtime(connection, when))
    histories = Histories(runs=_runs(connection, when, runs), devices=devices, patience=patience)
    doubtful = sorted(histories.doubtful())
    elsewhere = [one for part in _parts(doubtful) for one in _seen(connection, when, part)]
    return histories.stays(elsewhere, _signed(connection, when, hosts), rule.catalogue)


def _runs(connection: Connection, when: When, condition: ColumnElement[bool]) -> list[HostRun]:
    query = (
        select(
            _RUNS.host,
            _RUNS.site,
            _RUNS.inventory,
            _RUNS.since_ms,
            until_of(when.seen_until_ms),
        )
        .join(schema.hosts, _HOSTS.id == _RUNS.host)
        .where(condition, _RUNS.since_ms <= when.seen_until_ms)
        .order_by(_RUNS.since_ms, _RUNS.id)
    )
    return [HostRun(*row) for row in connection.execute(query)]


def _listing(condition: ColumnElement[bool]) -> Select[Any]:
    """Return the query for the chips of inventories: what was read, and no view contradicted."""
    return select(
        _DEVICES.inventory,
        _DEVICES.chip,
        _DEVICES.uuid,
        _DEVICES.pdi,
        _DEVICES.serial,
        _DEVICES.device,
        _DEVICES.subsystem,
        _DEVICES.board_part,
        _DEVICES.name,
    ).where(condition, _DEVICES.state == Reading.READ, _DEVICES.chip.is_not(None))


def _devices(
    connection: Connection, when: When, rows: Sequence[Sequence[Any]]
) -> dict[bytes, list[Device]]:
    """Return the chips of inventories, from rows of `_listing`."""
    later = later_pdi(connection, {row[1] for row in rows if not row[3]}, when)
    found: dict[bytes, list[Device]] = defaultdict(list)
    models: dict[tuple[Any, ...], ObservedModel] = {}
    for inventory, chip, uuid, pdi, serial, *observed in rows:
        key = tuple(observed)
        model = models.get(key)
        if model is None:
            device, subsystem, board_part, name = key
            model = models[key] = ObservedModel(
                device=device, subsystem=subsystem, board_part=board_part, name=name
            )
        found[inventory].append(Device(chip, uuid, pdi or later.get(chip), serial, model))
    return found


def _seen(connection: Connection, when: When, chips: Sequence[int]) -> list[Elsewhere]:
    at = when.seen_until_ms
    query = (
        select(_DEVICES.chip, _RUNS.host, _RUNS.since_ms, until_of(at))
        .join(schema.presence, _RUNS.inventory == _DEVICES.inventory)
        .join(schema.hosts, _HOSTS.id == _RUNS.host)
        .where(_DEVICES.chip.in_(chips), _DEVICES.state == Reading.READ, _RUNS.since_ms <= at)
    )
    return [Elsewhere(*row) for row in connection.execute(query)]


def _signed(connection: Connection, when: When, hosts: Select[Any]) -> list[Signed]:
    query = select(_SIGNED.chip, _SIGNED.host, _SIGNED.since_ms, _SIGNED.until_ms).where(
        _SIGNED.host.in_(hosts), _SIGNED.since_ms <= when.seen_until_ms
    )
    return [Signed(*row) for row in connection.execute(query)]


def _named(connection: Connection, when: When, names: Collection[str]) -> set[int]:
    """Return the chips that bear one of these names; a board serial may name several."""
    chips: set[int] = set()
    for part in _parts(sorted(names)):
        aliases = select(_ALIASES.chip).where(
            _ALIASES.kind.in_(("pdi", "uuid")),
            _ALIASES.value.in_(part),
            _ALIASES.first_ms <= when.known_at_ms,
        )
        boards = select(_DEVICES.chip).where(_DEVICES.serial.in_(part), _DEVICES.chip.is_not(None))
        chips.update(connection.execute(aliases).scalars())
        chips.update(connection.execute(boards).scalars())
    return chips


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _MOST_PARAMETERS):
        yield values[start : start + _MOST_PARAMETERS]
