"""Sightings at a time: what the newest inventory of each host of a site holds."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import CTE, Connection, Select, and_, case, func, literal, or_, select, union_all

from chipledger_server.adapters import schema
from chipledger_server.usecases.physical import Claim, Reading, Rival
from chipledger_server.usecases.reading import When

_HOSTS = schema.hosts.c
_RUNS = schema.presence.c
_DEVICES = schema.inventory_chips
_COUNTED = (Reading.READ, Reading.LOST)
_RUN_COLUMNS = (_RUNS.host, _RUNS.site, _RUNS.inventory, _RUNS.since_ms, _RUNS.held)


def newest_runs(when: When, *, site: str | None = None, host: str | None = None) -> Select[Any]:
    """Return the query for the newest run of each host: host, site, inventory, since, until.

    One look into the index of runs for each host of the site, whatever else is in the database.
    """
    at = when.seen_until_ms
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
    runs = _holding(when, site=site, host=host)
    devices = _DEVICES.c
    query = (
        select(
            runs.c.host,
            runs.c.site,
            runs.c.since_ms,
            runs.c.until_ms,
            runs.c.suspended,
            _signed(runs.c.host, when.seen_until_ms).label("signed_ms"),
            *devices,
        )
        .select_from(runs.join(_DEVICES, devices.inventory == runs.c.inventory))
        .order_by(runs.c.host, runs.c.suspended, devices.index)
    )
    found = connection.execute(query).mappings().all()
    rows = found if not any(row["suspended"] for row in found) else _with_suspended(found)
    later = later_pdi(connection, rows, when)
    return [_claim(row, later) for row in rows]


def _holding(when: When, *, site: str | None = None, host: str | None = None) -> CTE:
    """Return the newest run of each host, and once more with the inventory it still holds."""
    runs = newest_runs(when, site=site, host=host).cte("newest_runs")
    named = (runs.c.host, runs.c.site, runs.c.since_ms, runs.c.until_ms)
    return union_all(
        select(*named, runs.c.inventory, literal(0).label("suspended")),
        select(*named, runs.c.held.label("inventory"), literal(1)).where(runs.c.held.is_not(None)),
    ).cte("runs")


def _with_suspended(found: Sequence[Mapping[Any, Any]]) -> list[Mapping[Any, Any]]:
    """Return each device once: as the newest inventory has it, else as a chip it held before.

    A suspended chip takes the line of the device that the PCI bus still shows at its address.
    """
    rows: list[Mapping[Any, Any]] = []
    for _, group in groupby(found, key=lambda row: row["host"]):
        of_host = list(group)
        newest = [row for row in of_host if not row["suspended"]]
        named = {row["chip"] for row in newest}
        before = [
            row
            for row in of_host
            if row["suspended"]
            and row["chip"] is not None
            and row["chip"] not in named
            and row["state"] in _COUNTED
        ]
        taken = {row["bdf"] for row in before}
        newest = [
            row for row in newest if row["state"] != Reading.UNIDENTIFIED or row["bdf"] not in taken
        ]
        first = 1 + max((row["index"] for row in of_host if not row["suspended"]), default=-1)
        rows += newest
        rows += [
            {**row, "index": place, "state": Reading.LOST}
            for place, row in enumerate(before, start=first)
        ]
    return rows


def rivals(connection: Connection, when: When, *, site: str) -> list[Rival]:
    """Return the sightings, anywhere, of chips that hosts of a site hold, their own among them.

    Left out are those that ended before the site's own: they outweigh nothing, and a chip may
    have any number of them.
    """
    at = when.seen_until_ms
    runs = _holding(when, site=site)
    devices = _DEVICES.alias("devices")
    # Each chip once, however many hosts of the site hold it: else every pair of them is read.
    mine = (
        select(devices.c.chip, func.min(runs.c.until_ms).label("until_ms"))
        .join(runs, devices.c.inventory == runs.c.inventory)
        .where(devices.c.chip.is_not(None))
        .group_by(devices.c.chip)
        .cte("mine")
    )
    other = _DEVICES.alias("other")
    seen = (
        select(other.c.chip, _RUNS.host, until_of(at).label("until_ms"))
        .select_from(
            mine.join(other, other.c.chip == mine.c.chip)
            .join(schema.presence, _RUNS.inventory == other.c.inventory)
            .join(schema.hosts, _HOSTS.id == _RUNS.host)
        )
        .where(_RUNS.since_ms <= at, other.c.state.in_(_COUNTED))
    )
    # Apart, because a database looks up either by index, and one or the other by none.
    running = seen.where(_RUNS.until_ms.is_(None))
    ended = seen.where(_RUNS.until_ms >= mine.c.until_ms)
    either = union_all(running, ended).subquery().c
    query = select(either.chip, either.host, func.max(either.until_ms).label("until_ms"))
    return [
        Rival(chip=row.chip, host=row.host, until_ms=row.until_ms)
        for row in connection.execute(query.group_by(either.chip, either.host))
    ]


def disputed(connection: Connection, when: When, *, site: str) -> frozenset[tuple[int, str]]:
    """Return chip and host of every claim on a chip of a site's hosts that does not count.

    Claims of other hosts on the same chips are among them: they do not outweigh ours.
    """
    at = when.seen_until_ms
    runs = _holding(when, site=site)
    disputes = schema.disputes.c
    chips = select(_DEVICES.c.chip).join(runs, runs.c.inventory == _DEVICES.c.inventory)
    query = select(disputes.chip, disputes.host).where(
        disputes.chip.in_(chips), disputes.since_ms <= at, _open(disputes.until_ms, at)
    )
    return frozenset((row.chip, row.host) for row in connection.execute(query))


def downtime(connection: Connection, when: When) -> list[tuple[int, int]]:
    """Return when the collector itself was not accepting."""
    columns = schema.downtime.c
    query = select(columns.from_ms, columns.to_ms).where(columns.from_ms <= when.seen_until_ms)
    return [(row.from_ms, row.to_ms) for row in connection.execute(query)]


def until_of(at: int) -> Any:  # noqa: ANN401 - an SQL expression
    """Return the end of a run as known at a time: of a running one, its host's newest report."""
    end = func.coalesce(_RUNS.until_ms, _HOSTS.fresh_ms, _RUNS.since_ms)
    return case((end > at, literal(at)), else_=end)


def _signed(host: Any, at: int) -> Any:  # noqa: ANN401 - SQL expressions
    """Return when, up to a time, a device's own signature last arrived from a host.

    Inside a run of signatures none was ever too old, so any moment of it stands for its last.
    """
    run = schema.signatures.alias("signed").c
    return (
        select(case((run.until_ms > at, literal(at)), else_=run.until_ms))
        .where(run.chip == _DEVICES.c.chip, run.host == host, run.since_ms <= at)
        .order_by(run.since_ms.desc())
        .limit(1)
        .correlate(_DEVICES)
        .correlate_except(schema.signatures)
        .scalar_subquery()
    )


def _open(column: Any, at: int) -> Any:  # noqa: ANN401 - SQL expressions
    return or_(column.is_(None), column > at)


def later_pdi(
    connection: Connection, rows: Sequence[Mapping[Any, Any]], when: When
) -> dict[int, str]:
    """Return the PDI, learnt by other reports, of chips whose inventory does not give it.

    A driver upgrade that adds the PDI is the same chip; receipts name chips by it.
    """
    lacking = sorted({row["chip"] for row in rows if row["chip"] is not None and not row["pdi"]})
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


_MOST_PARAMETERS = 10_000


def _claim(row: Mapping[Any, Any], later: Mapping[int, str]) -> Claim:
    return Claim(
        chip=row["chip"],
        site=row["site"],
        host=row["host"],
        place=row["index"],
        reading=Reading(row["state"]),
        since_ms=row["since_ms"],
        until_ms=row["until_ms"],
        uuid=row["uuid"],
        pdi=row["pdi"] or later.get(row["chip"]),
        serial=row["serial"],
        board_part=row["board_part"],
        name=row["name"],
        device=row["device"],
        subsystem=row["subsystem"],
        bdf=row["bdf"],
        signed_ms=row["signed_ms"],
    )
