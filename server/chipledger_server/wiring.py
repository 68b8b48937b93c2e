"""The composition root: the only place that names concrete adapters."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Final, cast

import structlog

from chipledger_book.errors import BookError
from chipledger_book.ledger import Book
from chipledger_book.shipped import tables
from chipledger_evidence.appraisal.policy import shipped_policy
from chipledger_evidence.gpu.roots import NVIDIA, RootPin, TrustAnchors
from chipledger_evidence.keys import Signer
from chipledger_evidence.nonce import MIN_KEY_BYTES
from chipledger_server.adapters.case_desk import SqlCases
from chipledger_server.adapters.clock import SystemClock
from chipledger_server.adapters.database import (
    Reader,
    check_version,
    for_writing,
    make_collector,
    migrate,
    open_engine,
)
from chipledger_server.adapters.entropy import system_entropy
from chipledger_server.adapters.files import publish, write_secret
from chipledger_server.adapters.ledger import SqlLedger
from chipledger_server.adapters.party_keys import SqlPartyKeys
from chipledger_server.adapters.people import SqlCodes, SqlPeople
from chipledger_server.adapters.periods import SqlPeriods
from chipledger_server.adapters.proposals import SqlProposals
from chipledger_server.adapters.reads import SqlReads
from chipledger_server.adapters.result_key import load_result_key, new_result_key
from chipledger_server.adapters.rules import SqlRules
from chipledger_server.adapters.samples import SqlSamples
from chipledger_server.config import Config
from chipledger_server.domain.codes import Code, ServerError
from chipledger_server.domain.rounds import TEST_MARK
from chipledger_server.jobs.worker import Worker
from chipledger_server.ports import Clock
from chipledger_server.usecases.access import Role
from chipledger_server.usecases.book.lookout import Looked, Part, look_at, parts_of, whole_book
from chipledger_server.usecases.book.reconcile import Measure
from chipledger_server.usecases.book.sharing import Sharing
from chipledger_server.usecases.people import Hand, NewPrincipal, add_principal
from chipledger_server.usecases.periods.store import PeriodDesk
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.rules.measures import Measures
from chipledger_server.usecases.rules.proposing import begin
from chipledger_server.usecases.sampling.store import SampleDesk
from chipledger_server.usecases.showing.results import Results, demand_signer
from chipledger_server.web.asgi import App
from chipledger_server.web.auth import Gate, session_key
from chipledger_server.web.context import Parts
from chipledger_server.web.site import build_app

_DIGEST: Final = re.compile("[0-9a-f]{64}")
BUILD: Final = f"chipledger {version('chipledger')}"
"""Name and version of this software, as results name it."""
SIGNATURE_MS: Final = shipped_policy().evidence_lifetime_ms
"""How long a chip's own signature keeps its grade."""


def test_anchors(path: Path | None) -> TrustAnchors:
    """Return the roots to believe at test sites: the shipped ones, and those in a file.

    Raises:
        ServerError: `invalid-configuration`: the file cannot be read, or a line is no digest.
    """
    if path is None:
        return NVIDIA
    try:
        lines = path.read_text("ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ServerError(Code.INVALID_CONFIGURATION, f"{path}: {error}") from error
    wrong = [line for line in lines if not _DIGEST.fullmatch(line)]
    if wrong:
        raise ServerError(
            Code.INVALID_CONFIGURATION,
            f"{path}: {wrong[0][:80]!r} is no SHA-256 digest in hex",
            hint="one digest of a public key a line",
        )
    simulated = tuple(
        RootPin(name="simulated devices", spki_sha256=line, source=str(path), as_of="")
        for line in lines
    )
    return TrustAnchors(version=f"{NVIDIA.version}{TEST_MARK}", roots=NVIDIA.roots + simulated)


def initialise(config: Config, *, administrator: str, token_file: Path | None = None) -> str:
    """Make the database, its keys and the first administrator; return its token.

    The database gets its name last, when everything else is there: an `init` that was cut short
    leaves no collector that can be neither used nor made again.

    Args:
        config: the configuration.
        administrator: name of the first administrator.
        token_file: where its token is written as well.

    Raises:
        ServerError: `already-initialised`; nothing that exists is ever overwritten.
        OSError: something cannot be written; what was made is taken away again.
    """
    path = config.database.path
    files = [path, config.secrets.nonce_key_file, config.secrets.result_key]
    folders = {file.parent for file in files}
    files += [] if token_file is None else [token_file]
    _refuse_existing(path, files)
    for folder in folders:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.init")
    draft.unlink(missing_ok=True)
    made = [draft]
    try:
        token = _make_database(draft, config.collector.name, administrator=administrator)
        keys = (system_entropy(MIN_KEY_BYTES), new_result_key())
        for file, content in zip(files[1:], (*keys, f"{token}\n".encode()), strict=False):
            write_secret(file, content)
            made.append(file)
        publish(draft, path)
    except BaseException:
        for file in made:
            file.unlink(missing_ok=True)
        raise
    return token


def _refuse_existing(database: Path, files: Sequence[Path]) -> None:
    for there in files:
        if there.exists():
            raise ServerError(
                Code.ALREADY_INITIALISED, f"{there} exists", hint=_hint_beside(database, there)
            )


def create_result_key(config: Config) -> None:
    """Make the key that signs attestation results, for a collector from before there was one.

    Raises:
        ServerError: `not-initialised`; `already-initialised`: a key is never replaced.
    """
    if not config.database.path.exists():
        raise ServerError(
            Code.NOT_INITIALISED,
            f"there is no database {config.database.path}",
            hint="`chipledger-server init` makes the key as well",
        )
    path = config.secrets.result_key
    try:
        write_secret(path, new_result_key())
    except FileExistsError as error:
        raise ServerError(
            Code.ALREADY_INITIALISED,
            f"{path} exists",
            hint="who relies on results has its public key; to change it, move the file away",
        ) from error


def result_signer(config: Config) -> Signer:
    """Return what signs attestation results.

    Raises:
        ServerError: `invalid-configuration`: the key cannot be used.
        Refusal: `no-result-key`.
    """
    return demand_signer(load_result_key(config.secrets.result_key))


def _make_database(path: Path, name: str, *, administrator: str) -> str:
    now_ms = SystemClock().now_ms()
    write_secret(path, b"")
    engine = for_writing(open_engine(path))
    try:
        migrate(engine)
        with engine.begin() as connection:
            make_collector(connection, name=name, now_ms=now_ms)
        hand = Hand(principal="init", now_ms=now_ms, entropy=system_entropy)
        begin(SqlRules(engine), hand)
        new = NewPrincipal(name=administrator, role=Role.ADMINISTRATOR, sites=None)
        return add_principal(new, SqlPeople(engine), hand).token
    finally:
        engine.dispose()


def _hint_beside(database: Path, there: Path) -> str:
    if database.exists():
        return "init makes a new collector; to start the present one: chipledger-server run"
    return f"there is no database {database}: move {there.name} away, then init again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What an administrator on the collector's own machine works with.

    Attributes:
        config: the configuration.
        hand: who acts, when, with what randomness.
        people: principals.
        codes: enrolment codes and host keys.
        ledger: the book.
        reads: everything that can be looked at.
        measure: tables and policy of a balance of now.
        measures: the same for other times and other rule sets.
        proposals: what takes two people, of hosts.
        party_keys: keys that parties sign with.
        cases: findings, to act on.
        periods: closing periods.
        samples: sampling and counting.
    """

    config: Config
    hand: Hand
    people: SqlPeople
    codes: SqlCodes
    ledger: SqlLedger
    reads: SqlReads
    measure: Measure
    measures: Measures
    proposals: SqlProposals
    party_keys: SqlPartyKeys
    cases: SqlCases
    periods: PeriodDesk
    samples: SampleDesk


def open_desk(config: Config) -> Desk:
    """Open the database for an administrator on this machine, recorded as ``local:<uid>``.

    Raises:
        ServerError: `not-initialised` or `database-too-new`.
    """
    if not config.database.path.exists():
        raise ServerError(
            Code.NOT_INITIALISED,
            f"there is no database {config.database.path}",
            hint="run `chipledger-server init` once, or name the configuration: --config FILE",
        )
    engine = open_engine(config.database.path)
    check_version(engine)
    now_ms = SystemClock().now_ms()
    measures = _measures_of(config, engine)
    return Desk(
        config=config,
        hand=Hand(principal=f"local:{os.getuid()}", now_ms=now_ms, entropy=system_entropy),
        people=SqlPeople(engine),
        codes=SqlCodes(engine),
        ledger=SqlLedger(engine),
        reads=SqlReads(engine),
        measure=measures.at(now_ms),
        measures=measures,
        proposals=SqlProposals(engine),
        party_keys=SqlPartyKeys(engine),
        cases=SqlCases(engine),
        periods=_period_desk(engine, measures),
        samples=_sample_desk(engine, measures),
    )


def _period_desk(engine: Reader, measures: Measures) -> PeriodDesk:
    """Return what closing periods works with."""
    return PeriodDesk(
        store=SqlPeriods(engine),
        reads=SqlReads(engine),
        ledger=SqlLedger(engine),
        measures=measures.at,
        code=BUILD,
    )


def _sample_desk(engine: Reader, measures: Measures) -> SampleDesk:
    """Return what sampling works with."""
    return SampleDesk(
        store=SqlSamples(engine),
        reads=SqlReads(engine),
        ledger=SqlLedger(engine),
        measures=measures.at,
    )


def _measures_of(config: Config, engine: Reader) -> Measures:
    """Return what balances are measured by, by time and rule set."""
    return Measures(SqlRules(engine), measure_of(config))


def measure_of(config: Config) -> Measure:
    """Return what balances are measured by: the shipped tables and the configured policy."""
    return Measure(
        tables=tables(),
        silence_limit_ms=config.policy.silence_limit_ms,
        appraisal=shipped_policy(),
        sharing=Sharing(Lock()),
    )


def look_around(worker: Worker, config: Config, now_ms: int) -> Iterator[Looked]:
    """Let a worker process look at everything once, as it is known at a time, part by part."""
    for part in worker.ask(_parts, config, now_ms):
        yield from worker.ask(_look_at, config, now_ms, part)


@dataclass(frozen=True, slots=True)
class _Round:
    """What the parts of one round have in common."""

    engine: Reader
    when: When
    measure: Measure
    book: Book


@lru_cache(maxsize=1)
def _round(config: Config, now_ms: int) -> _Round:
    """Return the round of a time; the worker process keeps the newest one."""
    engine = open_engine(config.database.path)
    when = When(as_of_ms=now_ms, known_at_ms=now_ms)
    with SqlReads(engine).snapshot() as snapshot:
        book = whole_book(snapshot, when)
    return _Round(engine, when, _measures_of(config, engine).at(now_ms), book)


def _parts(config: Config, now_ms: int) -> list[Part]:
    _round.cache_clear()  # the ledger of the round before goes first
    one = _round(config, now_ms)
    with SqlReads(one.engine).snapshot() as snapshot:
        return parts_of(one.book, snapshot.looked_scopes(), one.when)


def _look_at(config: Config, now_ms: int, part: Part) -> list[Looked]:
    one = _round(config, now_ms)
    try:
        return list(
            look_at(
                part,
                SqlReads(one.engine),
                book=one.book,
                when=one.when,
                measure=one.measure,
                skipped=_not_watched,
            )
        )
    finally:
        one.engine.dispose()  # no file stays open between two rounds


def _not_watched(scope: str, error: BookError) -> None:
    structlog.get_logger("chipledger.lookout").warning(
        "scope-not-watched", scope=scope, fault=str(error)
    )


def gate_of(config: Config, people: SqlPeople) -> Gate:
    """Return what tells who is asking; sessions are signed under the collector's own key."""
    key = config.secrets.nonce_key_file.read_bytes()
    return Gate(people, session_key(key))


def site_of(config: Config, engine: Reader, clock: Clock) -> App:
    """Return the application of screens and API, to stand behind the agents' doors."""
    people = SqlPeople(engine)
    measures = _measures_of(config, engine)
    parts = Parts(
        name=config.collector.name,
        reads=SqlReads(engine),
        gate=gate_of(config, people),
        measures=measures,
        now_ms=clock.now_ms,
        results=Results(build=BUILD, signer=load_result_key(config.secrets.result_key)),
        ledger=SqlLedger(engine),
        party_keys=SqlPartyKeys(engine),
        proposal_ttl_s=config.policy.proposal_ttl_s,
        entropy=system_entropy,
        cases=SqlCases(engine),
        periods=_period_desk(engine, measures),
        samples=_sample_desk(engine, measures),
    )
    return cast("App", build_app(parts))  # Litestar types the same shapes in its own words
