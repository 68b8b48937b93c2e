"""Samples in the database, and what the collector has heard of drawn chips."""

import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, Select, and_, exists, func, insert, or_, select
from sqlalchemy.exc import IntegrityError

from chipledger_book.counts.population import Population
from chipledger_book.counts.sampling import Plan
from chipledger_evidence.codec import b64url_encode, encode_canonical
from chipledger_evidence.gpu.facts import Level, level
from chipledger_server.adapters import schema
from chipledger_server.adapters.database import for_writing
from chipledger_server.adapters.people import put
from chipledger_server.adapters.reads.results import judged_rounds
from chipledger_server.adapters.reads.sightings import until_of
from chipledger_server.adapters.schema.samples import sample_plans, sample_steps
from chipledger_server.usecases.decisions import Draft
from chipledger_server.usecases.physical import Reading
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.sampling.store import Heard, Named, Planned, Step, Taken

_PLANS: Final = sample_plans.c
_STEPS: Final = sample_steps.c
_DEVICES: Final = schema.inventory_chips.c
_RUNS: Final = schema.presence.c
_HOSTS: Final = schema.hosts.c
_TOKENS: Final = schema.tokens.c
_SIGNED: Final = schema.signatures.c
_ALIASES: Final = schema.chip_aliases.c
_BY_CHIP: Final = frozenset({Level.CHIP_SIGNED, Level.CHIP_SIGNED_FIRMWARE})
_FRESH: Final = ("challenged", "epoch")
_MOST_PARAMETERS: Final = 10_000
T = TypeVar("T")


class SqlSamples:
    """The tables `sample_plans` and `sample_steps`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = for_writing(engine)

    def plans(self, site: str) -> Sequence[Planned]:
        """Return the plans of a site, newest first."""
        return self._planned(_plans().where(_PLANS.site == site).order_by(_PLANS.pos.desc()))

    def plan(self, site: str, key: str) -> Planned | None:
        """Return one plan of a site."""
        found = self._planned(_plans().where(_PLANS.site == site, _PLANS.id == key))
        return found[0] if found else None

    def _planned(self, query: Select[Any]) -> list[Planned]:
        with self._engine.connect() as connection:
            return [_plan_of(row) for row in connection.execute(query).mappings()]

    def population(self, key: str) -> Population | None:
        """Return what a plan was made for."""
        query = select(_PLANS.population).where(_PLANS.id == key)
        with self._engine.connect() as connection:
            body = connection.execute(query).scalar_one_or_none()
        return None if body is None else _unpacked(body, Population)

    def steps(self, site: str) -> Sequence[Taken]:
        """Return the steps of all samples of a site in their order, without bodies."""
        wanted = [column for column in _STEPS if column.name != "body"]
        query = select(*wanted).join(sample_plans, _PLANS.id == _STEPS.plan)
        with self._engine.connect() as connection:
            rows = connection.execute(query.where(_PLANS.site == site).order_by(_STEPS.pos))
            return [_step_of(row, b"") for row in rows.mappings()]

    def taken(self, key: str) -> Sequence[Taken]:
        """Return the steps of one sample in their order."""
        query = select(sample_steps).where(_STEPS.plan == key).order_by(_STEPS.pos)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings()
            return [_step_of(row, zlib.decompress(bytes(row["body"]))) for row in rows]

    def commit(self, planned: Planned, population: Population, record: Draft) -> bool:
        """Keep a plan; False when its commitment was used before."""
        values = {
            "id": planned.id,
            "site": planned.site,
            "commitment": planned.plan.commitment,
            "seed_by": planned.seed_by,
            "answer_within_ms": planned.answer_within_ms,
            "planned_ms": planned.planned_ms,
            "principal": planned.principal,
            "chips": planned.chips,
            "body": _packed(encode_canonical(planned.plan)),
            "population": _packed(encode_canonical(population)),
        }
        return self._insert(sample_plans, values, record)

    def take(self, taken: Taken, record: Draft) -> bool:
        """Keep a step; False when there is one of that number."""
        values = {
            "plan": taken.sample,
            "step": str(taken.step),
            "number": taken.number,
            "at_ms": taken.at_ms,
            "principal": taken.principal,
            "digest": taken.digest,
            "note": taken.note,
            "due_ms": taken.due_ms,
            "body": _packed(taken.body),
        }
        return self._insert(sample_steps, values, record)

    def _insert(self, table: Any, values: Mapping[str, Any], record: Draft) -> bool:  # noqa: ANN401
        try:
            with self._writer.begin() as connection:
                connection.execute(insert(table).values(**values))
                put(connection, record)
        except IntegrityError:
            return False
        return True

    def heard(self, chips: Collection[int], *, after_ms: int, until_ms: int) -> Sequence[Heard]:
        """Return what was heard of chips after a time and up to another, on every host."""
        found: list[Heard] = []
        with self._engine.connect() as connection:
            for part in _parts(sorted(chips)):
                found += _signed(connection, part, after_ms, until_ms)
                found += _reported(connection, part, after_ms, until_ms)
        return found

    def named(self, names: Collection[str]) -> Sequence[Named]:
        """Return the chips that PDIs, UUIDs and board serials name."""
        found: set[tuple[str, int]] = set()
        with self._engine.connect() as connection:
            for part in _parts(sorted(names)):
                aliases = select(_ALIASES.value, _ALIASES.chip).where(
                    _ALIASES.kind.in_(("pdi", "uuid")), _ALIASES.value.in_(part)
                )
                boards = (
                    select(_DEVICES.serial, _DEVICES.chip)
                    .where(_DEVICES.serial.in_(part), _DEVICES.chip.is_not(None))
                    .distinct()
                )
                for query in (aliases, boards):
                    found |= {(row[0], row[1]) for row in connection.execute(query)}
        return [Named(name=name, chip=chip) for name, chip in sorted(found)]


def _signed(
    connection: Connection, chips: Sequence[int], after_ms: int, until_ms: int
) -> Iterator[Heard]:
    """Yield the chips' own signatures that arrived in a span of time.

    A run of signatures names its newest alone. Of one that goes on beyond the span the rounds
    of its host are looked through.
    """
    query = (
        select(_SIGNED.chip, _SIGNED.host, _SIGNED.until_ms, _SIGNED.token, _HOSTS.site)
        .add_columns(_disputed(_SIGNED.chip, _SIGNED.host, until_ms).label("disputed"))
        .join(schema.hosts, _HOSTS.id == _SIGNED.host)
        .where(
            _SIGNED.chip.in_(chips),
            _SIGNED.until_ms > after_ms,
            _SIGNED.since_ms <= until_ms,
        )
    )
    for row in connection.execute(query).all():
        newest: tuple[int, str] | None = (row.until_ms, b64url_encode(bytes(row.token)))
        if row.until_ms > until_ms:
            newest = _signed_before(connection, row.chip, row.host, (after_ms, until_ms))
        if newest is not None:
            yield Heard(
                chip=row.chip,
                site=row.site,
                host=row.host,
                at_ms=newest[0],
                by="chip-signature",
                token=newest[1],
                counts=not row.disputed,
            )


def _signed_before(
    connection: Connection, chip: int, host: str, span: tuple[int, int]
) -> tuple[int, str] | None:
    """Return when a chip's newest signature within a span arrived, and in which report."""
    after_ms, until_ms = span
    names = select(_ALIASES.value).where(_ALIASES.kind == "pdi", _ALIASES.chip == chip)
    own = set(connection.execute(names).scalars())
    when = When(as_of_ms=until_ms, known_at_ms=until_ms)
    for result in judged_rounds(connection, host, when, since_ms=after_ms):
        if after_ms < result.received <= until_ms and any(
            piece.facts.pdi in own and level(piece.facts) in _BY_CHIP for piece in result.pieces
        ):
            return result.received, result.token
    return None


def _reported(
    connection: Connection, chips: Sequence[int], after_ms: int, until_ms: int
) -> Iterator[Heard]:
    """Yield the newest fresh report of each host that listed a chip in a span of time."""
    token = _newest_token(after_ms, until_ms)
    query = (
        select(
            _DEVICES.chip,
            _RUNS.host,
            _RUNS.site,
            token.label("pos"),
            _disputed(_DEVICES.chip, _RUNS.host, until_ms).label("disputed"),
        )
        .join(schema.presence, _RUNS.inventory == _DEVICES.inventory)
        .join(schema.hosts, _HOSTS.id == _RUNS.host)
        .where(
            _DEVICES.chip.in_(chips),
            _DEVICES.state == Reading.READ,
            _RUNS.since_ms <= until_ms,
            or_(_RUNS.until_ms.is_(None), _RUNS.until_ms > after_ms),
        )
    )
    rows = [row for row in connection.execute(query) if row.pos is not None]
    tokens = _tokens(connection, sorted({row.pos for row in rows}))
    for row in rows:
        at_ms, identity = tokens[row.pos]
        yield Heard(
            chip=row.chip,
            site=row.site,
            host=row.host,
            at_ms=at_ms,
            by="host-report",
            token=b64url_encode(identity),
            counts=not row.disputed,
        )


def _newest_token(after_ms: int, until_ms: int) -> Any:  # noqa: ANN401 - an SQL expression
    """Return the place of the newest fresh report within a run and a span of time."""
    return (
        select(func.max(_TOKENS.pos))
        .where(
            _TOKENS.host == _HOSTS.num,
            _TOKENS.freshness.in_(_FRESH),
            _TOKENS.received_ms > after_ms,
            _TOKENS.received_ms >= _RUNS.since_ms,
            _TOKENS.received_ms <= until_of(until_ms),
        )
        .correlate(schema.hosts, schema.presence)
        .scalar_subquery()
    )


def _tokens(connection: Connection, places: Sequence[int]) -> dict[int, tuple[int, bytes]]:
    """Return when reports arrived, and their digests."""
    found: dict[int, tuple[int, bytes]] = {}
    for part in _parts(places):
        query = select(_TOKENS.pos, _TOKENS.received_ms, _TOKENS.id).where(_TOKENS.pos.in_(part))
        for row in connection.execute(query):
            found[row.pos] = (row.received_ms, bytes(row.id))
    return found


def _disputed(chip: Any, host: Any, at_ms: int) -> Any:  # noqa: ANN401 - SQL expressions
    """Return whether a host's claim on a chip does not count at a time."""
    disputes = schema.disputes.c
    return exists().where(
        and_(
            disputes.chip == chip,
            disputes.host == host,
            disputes.since_ms <= at_ms,
            or_(disputes.until_ms.is_(None), disputes.until_ms > at_ms),
        )
    )


def _plans() -> Select[Any]:
    return select(*(column for column in _PLANS if column.name != "population"))


def _plan_of(row: Mapping[Any, Any]) -> Planned:
    return Planned(
        id=row["id"],
        site=row["site"],
        plan=_unpacked(row["body"], Plan),
        seed_by="auditor" if row["seed_by"] == "auditor" else "collector",
        answer_within_ms=row["answer_within_ms"],
        planned_ms=row["planned_ms"],
        principal=row["principal"],
        chips=row["chips"],
    )


def _step_of(row: Mapping[Any, Any], body: bytes) -> Taken:
    return Taken(
        sample=row["plan"],
        step=Step(row["step"]),
        number=row["number"],
        at_ms=row["at_ms"],
        principal=row["principal"],
        digest=row["digest"],
        body=body,
        note=row["note"],
        due_ms=row["due_ms"],
    )


def _packed(body: bytes) -> bytes:
    return zlib.compress(body, 6)


def _unpacked(body: bytes, kind: type[T]) -> T:
    return msgspec.json.decode(zlib.decompress(bytes(body)), type=kind)


def _parts(values: Sequence[int] | Sequence[str]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _MOST_PARAMETERS):
        yield values[start : start + _MOST_PARAMETERS]
