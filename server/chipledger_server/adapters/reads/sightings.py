"""Sightings at a time: what the newest inventory of each host of a site holds."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

from msgspec.structs import replace
from sqlalchemy import (
    CTE,
    BigInteger,
    BindParameter,
    Connection,
    Select,
    Text,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
)

from chipledger_server.adapters import schema
from chipledger_server.adapters.reads.plain import Plain
from chipledger_server.usecases.physical import Claim, Reading, Rival
from chipledger_server.usecases.reading import When

_HOSTS = schema.hosts.c
_RUNS = schema.presence.c
_DEVICES = schema.inventory_chips
_COUNTED = (Reading.READ, Reading.LOST)
_READINGS = {str(reading): reading for reading in Reading}
_MOST_PARAMETERS = 10_000
AT, SITE, HOST = (
    bindparam("at", type_=BigInteger, required=False),
    bindparam("site", type_=Text, required=False),
    bindparam("host", type_=Text, required=False),
)
"""Parameters of plain queries: up to when, of which site, of which host."""
Time = int | BindParameter[Any]
_Name = str | BindParameter[Any] | None
_RUN_COLUMNS = (_RUNS.host, _RUNS.site, _RUNS.inventory, _RUNS.since_ms, _RUNS.held)


def newest_runs(when: When, *, site: str | None = None, host: str | None = None) -> Select[Any]:
    """Return the query for the newest run of each host: host, site, inventory, since, until.

    One look into the index of runs for each host of the site, whatever else is in the database.
    """
    return _newest(when.seen_until_ms, site=site, host=host)


def _newest(at: Time, *, site: _Name = None, host: _Name = None) -> Select[Any]:
    run = schema.presence.alias("newest").c
    newest = (
        select(run.id)
        .where(run.host == _HOSTS.id, run.since_ms <= at)
        .order_by(run.since_ms.desc(), run.id.desc())
        .limit(1)
        .correlate(schema.hosts)
        .scalar_subquery()
    )
    query = select(*_RUN_COLUMNS, until_of(at).label("until_ms")).select_from(
        schema.hosts.join(schema.presence, _RUNS.id == newest)
    )
    if site is not None:
        query = query.where(_HOSTS.site == site)
    if host is not None:
        query = query.where(_HOSTS.id == host)
    return query


def claims(
    connection: Connection, when: When, *, site: str | None = None, host: str | None = None
) -> list[Claim]:
    """Return every device in the newest inventories, in the order of host and place.

    Behind a failed scan stand the chips that the last good one listed: nobody saw them go. They
    are *lost*: named, and without an answer.
    """
    query = _claiming(by_site=site is not None, by_host=host is not None)
    rows = query.rows(connection, at=when.seen_until_ms, site=site, host=host)
    lacking = {row[1] for row in rows if row[1] is not None and not row[9]}
    later = later_pdi(connection, lacking, when)
    found = [_claim(row, later) for row in rows]
    if not any(row[0] for row in rows):
        return found
    return _with_held([(claim, row[0]) for claim, row in zip(found, rows, strict=True)])


@lru_cache
def _claiming(*, by_site: bool, by_host: bool) -> Plain:
    """Return the query of claims: whether only held still, then a claim, member by member."""
    runs = _holding(by_site=by_site, by_host=by_host)
    devices = _DEVICES.c
    return Plain(
        select(
            runs.c.suspended,
            devices.chip,
            runs.c.site,
            runs.c.host,
            devices.index,
            devices.state,
            runs.c.since_ms,
            runs.c.until_ms,
            devices.uuid,
            devices.pdi,
            devices.serial,
            devices.board_part,
            devices.name,
            devices.device,
            devices.subsystem,
            devices.bdf,
            _signed(runs.c.host),
        )
        .select_from(runs.join(_DEVICES, devices.inventory == runs.c.inventory))
        .order_by(runs.c.host, runs.c.suspended, devices.index)
    )


def _holding(*, by_site: bool, by_host: bool = False) -> CTE:
    """Return the newest run of each host, and once more with the inventory it still holds."""
    newest = _newest(AT, site=SITE if by_site else None, host=HOST if by_host else None)
    runs = newest.cte("newest_runs")
    named = (runs.c.host, runs.c.site, runs.c.since_ms, runs.c.until_ms)
    return union_all(
        select(*named, runs.c.inventory, literal(0).label("suspended")),
        select(*named, runs.c.held.label("inventory"), literal(1)).where(runs.c.held.is_not(None)),
    ).cte("runs")


def _with_held(found: Sequence[tuple[Claim, int]]) -> list[Claim]:
    """Return each device once: as the newest inventory has it, else as a chip it held before.

    A chip held before takes the line of the device that the PCI bus still shows at its address.
    """
    claims: list[Claim] = []
    for _, group in groupby(found, key=lambda one: one[0].host):
        of_host = list(group)
        newest = [claim for claim, before in of_host if not before]
        named = {claim.chip for claim in newest}
        held = [
            claim
            for claim, before in of_host
            if before
            and claim.chip is not None
            and claim.chip not in named
            and claim.reading in _COUNTED
        ]
        taken = {claim.bdf for claim in held}
        first = 1 + max((claim.place for claim in newest), default=-1)
        claims += [
            claim
            for claim in newest
            if claim.reading is not Reading.UNIDENTIFIED or claim.bdf not in taken
        ]
        claims += [
            replace(claim, place=place, reading=Reading.LOST)
            for place, claim in enumerate(held, start=first)
        ]
    return claims


def rivals(connection: Connection, when: When, *, site: str) -> list[Rival]:
    """Return the sightings by other hosts, anywhere, of chips that a host of a site holds.

    Of chips that several hosts of the site hold, those by these hosts are among them. Left out
    are those that ended before the site's own: they outweigh nothing, and a chip may have any
    number of them.
    """
    rows = _rivalling().rows(connection, at=when.seen_until_ms, site=site)
    return [Rival(chip=chip, host=host, until_ms=until_ms) for chip, host, until_ms in rows]


@lru_cache
def _rivalling() -> Plain:
    """Return the query of rivals: chip, host, and until when."""
    runs = _holding(by_site=True)
    devices = _DEVICES.alias("devices")
    # Each chip once, however many hosts of the site hold it: else every pair of them is read.
    mine = (
        select(
            devices.c.chip,
            func.min(runs.c.until_ms).label("until_ms"),
            func.min(runs.c.host).label("first_host"),
            func.max(runs.c.host).label("last_host"),
        )
        .join(runs, devices.c.inventory == runs.c.inventory)
        .where(devices.c.chip.is_not(None))
        .group_by(devices.c.chip)
        .cte("mine")
    )
    other = _DEVICES.alias("other")
    another = or_(_RUNS.host != mine.c.first_host, _RUNS.host != mine.c.last_host)
    seen = (
        select(other.c.chip, _RUNS.host, until_of(AT).label("until_ms"))
        .select_from(
            mine.join(other, other.c.chip == mine.c.chip)
            .join(schema.presence, _RUNS.inventory == other.c.inventory)
            .join(schema.hosts, _HOSTS.id == _RUNS.host)
        )
        .where(another, _RUNS.since_ms <= AT, other.c.state.in_(_COUNTED))
    )
    # Apart, because a database looks up either by index, and one or the other by none.
    running = seen.where(_RUNS.until_ms.is_(None))
    ended = seen.where(_RUNS.until_ms >= mine.c.until_ms)
    either = union_all(running, ended).subquery().c
    query = select(either.chip, either.host, func.max(either.until_ms))
    return Plain(query.group_by(either.chip, either.host))


def disputed(connection: Connection, when: When, *, site: str) -> frozenset[tuple[int, str]]:
    """Return chip and host of every claim on a chip of a site's hosts that does not count.

    Claims of other hosts on the same chips are among them: they do not outweigh ours.
    """
    return frozenset(_disputing().rows(connection, at=when.seen_until_ms, site=site))


@lru_cache
def _disputing() -> Plain:
    """Return the query of disputes: chip and host of the claim that does not count."""
    runs = _holding(by_site=True)
    disputes = schema.disputes.c
    chips = select(_DEVICES.c.chip).join(runs, runs.c.inventory == _DEVICES.c.inventory)
    return Plain(
        select(disputes.chip, disputes.host).where(
            disputes.chip.in_(chips), disputes.since_ms <= AT, _open(disputes.until_ms, AT)
        )
    )


def heard(connection: Connection, when: When, *, site: str) -> list[int | None]:
    """Return of each host of a site when it was last heard, or None: never."""
    rows = _hearing().rows(connection, at=when.seen_until_ms, site=site)
    return [until_ms for (until_ms,) in rows]


@lru_cache
def _hearing() -> Plain:
    """Return the query of hosts: until when the newest run of each reaches."""
    runs = _newest(AT, site=SITE).cte("runs")
    return Plain(
        select(runs.c.until_ms)
        .select_from(schema.hosts.outerjoin(runs, runs.c.host == _HOSTS.id))
        .where(_HOSTS.site == SITE, _HOSTS.enrolled_ms <= AT)
    )


def downtime(connection: Connection, when: When) -> list[tuple[int, int]]:
    """Return when the collector itself was not accepting."""
    columns = schema.downtime.c
    query = select(columns.from_ms, columns.to_ms).where(columns.from_ms <= when.seen_until_ms)
    return [(row.from_ms, row.to_ms) for row in connection.execute(query)]


def until_of(at: Time) -> Any:  # noqa: ANN401 - an SQL expression
    """Return the end of a run as known at a time: of a running one, its host's newest report."""
    end = func.coalesce(_RUNS.until_ms, _HOSTS.fresh_ms, _RUNS.since_ms)
    return case((end > at, literal(at) if isinstance(at, int) else at), else_=end)


def _signed(host: Any) -> Any:  # noqa: ANN401 - SQL expressions
    """Return when, up to a time, a device's own signature last arrived from a host.

    Inside a run of signatures none was ever too old, so any moment of it stands for its last.
    """
    run = schema.signatures.alias("signed").c
    return (
        select(case((run.until_ms > AT, AT), else_=run.until_ms))
        .where(run.chip == _DEVICES.c.chip, run.host == host, run.since_ms <= AT)
        .order_by(run.since_ms.desc())
        .limit(1)
        .correlate(_DEVICES)
        .correlate_except(schema.signatures)
        .scalar_subquery()
    )


def _open(column: Any, at: Time) -> Any:  # noqa: ANN401 - SQL expressions
    return or_(column.is_(None), column > at)


def later_pdi(connection: Connection, chips: Collection[int], when: When) -> dict[int, str]:
    """Return the PDI, learnt by other reports, of chips whose inventory does not give it.

    A driver upgrade that adds the PDI is the same chip; receipts name chips by it.
    """
    lacking = sorted(chips)
    aliases = schema.chip_aliases.c
    found: dict[int, str] = {}
    for start in range(0, len(lacking), _MOST_PARAMETERS):
        query = (
            select(aliases.chip, aliases.value)
            .where(
                and_(
                    aliases.kind == "pdi",
                    aliases.first_ms <= when.known_at_ms,
                    aliases.chip.in_(lacking[start : start + _MOST_PARAMETERS]),
                )
            )
            .order_by(aliases.first_ms.desc())
        )
        found.update({row.chip: row.value for row in connection.execute(query)})
    return found


def _claim(row: tuple[Any, ...], later: Mapping[int, str]) -> Claim:
    """Return a claim from a row of `_claiming`."""
    _, chip, site, host, place, state, since_ms, until_ms, uuid, pdi, serial, *rest = row
    board_part, name, device, subsystem, bdf, signed_ms = rest
    return Claim(
        chip=chip,
        site=site,
        host=host,
        place=place,
        reading=_READINGS[state],
        since_ms=since_ms,
        until_ms=until_ms,
        uuid=uuid,
        pdi=pdi or later.get(chip),
        serial=serial,
        board_part=board_part,
        name=name,
        device=device,
        subsystem=subsystem,
        bdf=bdf,
        signed_ms=signed_ms,
    )
