"""The collector as one process: everything put together, started, and ended in order.

Start: lock, schema, lease, writer thread, doors. End, on SIGTERM or SIGINT: the doors close, what
was accepted is made durable, answered and applied, the lease is left to run out.
"""

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from chipledger_evidence.appraisal.policy import shipped_policy
from chipledger_evidence.entry import EntryType
from chipledger_evidence.gpu.roots import NVIDIA
from chipledger_evidence.nonce import MIN_KEY_BYTES
from chipledger_evidence.tpm.endorsement import EkRoot
from chipledger_evidence.tpm.roots import VENDOR_ROOTS
from chipledger_server.adapters.catalogues_sqlite import SqliteCatalogues
from chipledger_server.adapters.clock import SystemClock
from chipledger_server.adapters.database import (
    Reader,
    Writer,
    check_version,
    open_engine,
    open_writer,
)
from chipledger_server.adapters.ek_roots import load_ek_roots
from chipledger_server.adapters.enrolments import SqlEnrolments
from chipledger_server.adapters.entropy import BufferedEntropy, system_entropy
from chipledger_server.adapters.evidence_sqlite import SqliteEvidence
from chipledger_server.adapters.facts_sqlite import SqliteFacts
from chipledger_server.adapters.files import write_public
from chipledger_server.adapters.ground_sqlite import SqliteGround
from chipledger_server.adapters.installing_sqlite import SqlitePlaces
from chipledger_server.adapters.keys import SqliteKeys
from chipledger_server.adapters.lifecycle_sqlite import SqliteLifecycle
from chipledger_server.adapters.log_sqlite import LogTables
from chipledger_server.adapters.process import lock_database, notify_supervisor
from chipledger_server.adapters.records_sqlite import COLLECTOR
from chipledger_server.adapters.sequence_sqlite import SqliteSequenceStore
from chipledger_server.adapters.signing_sqlite import SqliteRounds, SqliteSignatures
from chipledger_server.adapters.watching_sqlite import SqliteWatch
from chipledger_server.adapters.writer import SqliteWriter
from chipledger_server.config import Config
from chipledger_server.domain.codes import Code, ServerError
from chipledger_server.domain.log import NewRecord
from chipledger_server.domain.vitals import Doors
from chipledger_server.jobs.evidence import EvidenceJob
from chipledger_server.jobs.lookout import LookoutJob
from chipledger_server.jobs.sequencer import SequencerJob
from chipledger_server.ports import Clock
from chipledger_server.usecases.challenge import Challenges
from chipledger_server.usecases.enrol import Enrolments
from chipledger_server.usecases.ingest import Ingest
from chipledger_server.usecases.keys import Keys
from chipledger_server.usecases.sequencing.facts import Facts
from chipledger_server.usecases.sequencing.fold import Fold
from chipledger_server.usecases.sequencing.holdings import Holdings
from chipledger_server.usecases.sequencing.installing import Installing
from chipledger_server.usecases.sequencing.lifecycle import Lifecycle
from chipledger_server.usecases.sequencing.metering import Metering
from chipledger_server.usecases.sequencing.models import Models
from chipledger_server.usecases.sequencing.noting import Noting
from chipledger_server.usecases.sequencing.quoting import Quoting
from chipledger_server.usecases.sequencing.signing import Signing
from chipledger_server.usecases.sequencing.silence import Silence
from chipledger_server.usecases.sequencing.step import Sequencer
from chipledger_server.usecases.sequencing.watching import Watching
from chipledger_server.web.gauges import CollectorGauges
from chipledger_server.web.ingest import AgentDoors
from chipledger_server.web.serving import Service, bind
from chipledger_server.wiring import SIGNATURE_MS, look_around, site_of, test_anchors

_LOG = structlog.get_logger("chipledger.service")
# A full report is a thousand small objects that live for milliseconds: looked through for
# cycles at Python's default pace they cost more than their signature.
_LOOK_S = 1
_GC_PACE = (50_000, 20, 50)


@dataclass(frozen=True, slots=True)
class _Collector:
    """The parts of a running collector that must be started and ended."""

    doors: AgentDoors
    writer: SqliteWriter
    evidence: EvidenceJob
    lookout: LookoutJob

    def start(self, *, ended: Callable[[], None]) -> None:
        """Begin to store and to judge; `ended` is called when nothing can be stored any more."""
        self.writer.start(ended=ended)
        self.evidence.start()
        self.lookout.start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_PACE)

    async def stop(self) -> None:
        """End when what was taken is durable; a round that is being judged waits."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self.evidence.stop)
        await loop.run_in_executor(None, self.lookout.stop)
        await self.writer.stop()


async def serve(config: Config, *, supervisor: str | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        config: the configuration.
        supervisor: systemd's notification socket, where there is one.

    Raises:
        ServerError: `not-initialised`, `database-too-new`, `database-in-use`; `writer-ended`
            after everybody was answered, so that a supervisor starts it anew.
    """
    _require_database(config)
    lock = lock_database(config.database.path)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    collector = _assemble(config, loop)
    sock, url = bind(config.listen)
    collector.start(ended=stop.set)

    def ready() -> None:
        if config.listen.address_file is not None:
            write_public(config.listen.address_file, f"{url}\n")
        notify_supervisor(supervisor, "READY=1")
        _LOG.info("serving", url=url, pid=os.getpid())

    service = Service(collector.doors, listen=config.listen, limits=config.limits)
    await service.serve(sock, stop, ready)
    notify_supervisor(supervisor, "STOPPING=1")
    await collector.stop()
    os.close(lock)
    if dead := collector.writer.vitals.dead:
        raise ServerError(
            Code.WRITER_ENDED, f"nothing can be stored any more: {dead}", hint="start it again"
        )
    _LOG.info("stopped")


def _require_database(config: Config) -> None:
    if not config.database.path.exists():
        raise ServerError(
            Code.NOT_INITIALISED,
            f"there is no database {config.database.path}",
            hint="run `chipledger-server init` once, or name the configuration: --config FILE",
        )


def _assemble(config: Config, loop: asyncio.AbstractEventLoop) -> _Collector:
    clock = SystemClock()
    engine = open_engine(config.database.path)
    check_version(engine)
    counts = Doors()
    keys = Keys(SqliteKeys(open_writer(config.database.path)))

    def changed(records: Sequence[NewRecord]) -> None:
        loop.call_soon_threadsafe(_forget, keys, records)

    connection = open_writer(config.database.path)
    job = SequencerJob(
        sequencer_of(config, connection, clock),
        clock=clock,
        policy=config.log,
        changed=changed,
        conclude=SqliteEvidence(connection, system_entropy).conclude,
    )
    writer = SqliteWriter(connection, job, now_ms=clock.now_ms, most_waiting=config.limits.queue)
    job.begin(writer.last_pos)
    ways_in = _ways_in(config, engine, keys, writer, counts=counts)
    gauges = CollectorGauges(
        doors=counts,
        writer=writer.vitals,
        pace=job.pace,
        queued=lambda: writer.waiting,
        clock=clock,
    )
    doors = AgentDoors(
        reports=ways_in[0],
        challenges=ways_in[1],
        enrolments=ways_in[2],
        gauges=gauges,
        limits=config.limits,
        behind=site_of(config, engine, clock),
    )
    return _Collector(
        doors, writer, _evidence_job(config, clock, job), _lookout_job(config, clock, job)
    )


def _evidence_job(config: Config, clock: Clock, keeper: SequencerJob) -> EvidenceJob:
    """Return what judges evidence beside the doors."""
    known, tests = NVIDIA, test_anchors(config.evidence.test_roots_file)

    def rounds() -> SqliteEvidence:
        return SqliteEvidence(open_writer(config.database.path), system_entropy)

    return EvidenceJob(
        rounds,
        anchors=lambda round_: tests if round_.test_site else known,
        now_ms=clock.now_ms,
        look_s=_LOOK_S,
        conclude=keeper.judged,
    )


def _lookout_job(config: Config, clock: Clock, keeper: SequencerJob) -> LookoutJob:
    """Return what looks around beside the doors."""
    return LookoutJob(
        lambda worker: look_around(worker, config, clock.now_ms()),
        every_s=config.watch.every_s,
        keep=keeper.looked,
    )


def _ways_in(
    config: Config, engine: Reader, keys: Keys, writer: SqliteWriter, *, counts: Doors
) -> tuple[Ingest, Challenges, Enrolments]:
    """Return what stands behind the agents' three doors."""
    clock = SystemClock()
    nonce_keys = (_nonce_key(config),)
    entropy = BufferedEntropy()  # for the event loop; enrolments have threads of their own
    reports = Ingest(
        keys=keys,
        writer=writer,
        clock=clock,
        entropy=entropy,
        nonce_keys=nonce_keys,
        policy=config.policy,
        evidence=config.evidence,
        limits=config.limits,
        counts=counts,
        beside=asyncio.to_thread,
    )
    challenges = Challenges(
        keys=keys,
        clock=clock,
        entropy=entropy,
        nonce_keys=nonce_keys,
        policy=config.policy,
        counts=counts,
    )
    enrolments = Enrolments(
        store=SqlEnrolments(engine),
        clock=clock,
        entropy=system_entropy,
        nonce_keys=nonce_keys,
        policy=config.policy,
        collector=config.collector.name,
        roots=ek_roots_of(config),
    )
    return reports, challenges, enrolments


def sequencer_of(config: Config, connection: Writer, clock: Clock) -> Sequencer:
    """Return the sequencer of an embedded database."""
    store = SqliteSequenceStore(connection, system_entropy)
    return Sequencer(
        fold=fold_of(config, connection, store),
        log=LogTables(connection, holder=f"pid-{os.getpid()}"),
        ground=SqliteGround(connection, store),
        clock=clock,
        entropy=system_entropy,
        policy=config.log,
    )


def fold_of(config: Config, connection: Writer, store: SqliteSequenceStore) -> Fold:
    """Return what applies tokens and results to the state in `store`."""
    noting = Noting(store=store)
    watch, kept = SqliteWatch(connection), SqliteLifecycle(connection)
    models = Models(SqliteCatalogues(connection))
    holdings = Holdings(store=store, noting=noting, models=models, signature_ms=SIGNATURE_MS)
    return Fold(
        store=store,
        noting=noting,
        holdings=holdings,
        signing=Signing(
            store=store,
            signatures=SqliteSignatures(connection),
            rounds=SqliteRounds(connection),
            noting=noting,
            holdings=holdings,
            policy=shipped_policy(),
        ),
        metering=Metering(store=store, kept=watch, noting=noting),
        watching=Watching(store=store, kept=watch, noting=noting),
        silence=Silence(store=store, noting=noting, policy=config.policy),
        quoting=Quoting(kept=kept, noting=noting),
        lifecycle=Lifecycle(store=store, kept=kept, noting=noting),
        facts=Facts(kept=SqliteFacts(connection), noting=noting),
        installing=Installing(
            store=store,
            kept=SqlitePlaces(connection, store),
            names=models,
            silence_limit_ms=config.policy.silence_limit_ms,
        ),
        models=models,
        policy=config.policy,
    )


def ek_roots_of(config: Config) -> Sequence[EkRoot]:
    """Return the pinned issuers of EK certificates: the shipped ones, and the configured."""
    folder = config.enrolment.ek_roots_folder
    return VENDOR_ROOTS if folder is None else (*VENDOR_ROOTS, *load_ek_roots(folder))


def _nonce_key(config: Config) -> bytes:
    path = config.secrets.nonce_key_file
    try:
        key = path.read_bytes()
    except OSError as error:
        raise ServerError(Code.NOT_INITIALISED, f"the nonce key cannot be read: {error}") from error
    if len(key) < MIN_KEY_BYTES:
        raise ServerError(
            Code.INVALID_CONFIGURATION, f"{path} holds fewer than {MIN_KEY_BYTES} bytes"
        )
    return key


def _forget(keys: Keys, records: Sequence[NewRecord]) -> None:
    """Read keys anew that another hand has changed; runs in the event loop."""
    for record in records:
        if record.kind == EntryType.REVOCATION:
            keys.forget(record.subject)
        elif record.kind in {EntryType.KEY, EntryType.DECISION}:
            keys.forget_host(record.subject)
        elif record.kind == EntryType.EVENT and record.principal != COLLECTOR:
            keys.forget()  # it may have declared a site to be a test site, or no longer
            return
