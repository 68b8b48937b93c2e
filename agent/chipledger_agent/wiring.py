"""The composition root: the one place that names concrete adapters.

Adapters get plain values, never the configuration. What only one command needs is imported
where that command is built, because the idle service should be small.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from chipledger_agent.adapters.clock import SystemClock
from chipledger_agent.adapters.durable import Disk, PosixDisk, StateLock, storage_failed
from chipledger_agent.adapters.enrolment_file import load_enrolment, save_enrolment
from chipledger_agent.adapters.entropy import KernelEntropy
from chipledger_agent.adapters.hostfacts import KernelFacts
from chipledger_agent.adapters.keyring import HostKey, Keyring
from chipledger_agent.adapters.notify import NoNotifier, SystemdNotifier
from chipledger_agent.adapters.spool_files import SpoolFiles
from chipledger_agent.adapters.state_file import StateFile
from chipledger_agent.config import TPM, AgentConfig
from chipledger_agent.cycle import Cycle, Outcome, Ports, Settings
from chipledger_agent.cycle.enrol import Applicant, enrol, rotate
from chipledger_agent.cycle.evidence import ROUND_S, SilentSource
from chipledger_agent.domain.claims import Identity
from chipledger_agent.domain.evidence import CORELIB, NVML, REDFISH, ReasonCode
from chipledger_agent.domain.failures import AgentCode, AgentError
from chipledger_agent.domain.spoolrules import Limits
from chipledger_agent.ports import Collector, EvidenceSource, Journal, Notifier, Scanner
from chipledger_agent.scan.command import scan_command
from chipledger_agent.scan.library import DEFAULT_LIBRARIES
from chipledger_agent.scan.parent import ChildScanner
from chipledger_evidence.enrolment import Enrolment

if TYPE_CHECKING:
    from chipledger_agent.daemon import Daemon

SOFTWARE = "chipledger-agent"
CHAINS = "chains"
_DAY_S = 24 * 3600
_MIB = 1024 * 1024
_NO_NOTE = "is the NVIDIA driver installed and loaded? `chipledger-agent scan` shows what is seen"


def software_version() -> str:
    """Return the version of the installed distribution."""
    try:
        return version("chipledger")
    except PackageNotFoundError:
        return "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """How often reports are made: configuration and enrolment taken together, in seconds."""

    interval_s: int
    jitter_s: int
    full_period_s: int


def timetable(config: AgentConfig, enrolment: Enrolment) -> Timetable:
    """Return the shorter of what the host's and the collector's people asked for."""
    asked = config.schedule.interval_s or enrolment.interval_s
    interval_s = max(1, min(asked, enrolment.interval_s))
    return Timetable(
        interval_s=interval_s,
        jitter_s=min(config.schedule.jitter_s, interval_s // 10),
        full_period_s=max(1, enrolment.full_interval_s),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenCapture:
    """A capture's JSON document, and how many of the calls in it failed."""

    document: bytes
    calls: int
    failed_calls: int


class Agent:
    """The parts of one agent, made when they are asked for.

    Args:
        config: the checked configuration.
        scan_child: command of the scan child; the shipped one when not given.
        evidence_child: command of the evidence child, the same.
        environ: the process environment; only the service manager's variables are read.
    """

    def __init__(
        self,
        config: AgentConfig,
        *,
        scan_child: Sequence[str] | None = None,
        evidence_child: Sequence[str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.config = config
        self.clock = SystemClock()
        self.entropy = KernelEntropy()
        self._scan_child = scan_child
        self._evidence_child = evidence_child
        self._environ = os.environ if environ is None else environ

    def scanner(self, *, override: Path | None = None) -> ChildScanner:
        """Return a scanner of this machine; with `override` its scans must not be sent."""
        if override is not None:
            command: Sequence[str] = scan_command(override=override)
        elif self._scan_child is not None:
            command = self._scan_child
        else:
            libraries = self.config.scan.libraries or DEFAULT_LIBRARIES
            command = scan_command(libraries=libraries)
        return ChildScanner(
            monotonic_ms=self.clock.monotonic_ms,
            command=command,
            first_deadline_s=self.config.scan.first_deadline_s,
            deadline_s=self.config.scan.deadline_s,
        )

    def evidence_sources(self) -> tuple[EvidenceSource, ...]:
        """Return the three ways to a chip's signature; one that is off only says so."""
        return (self._nvml_source(), self._corelib_source(), self._redfish_source())

    def _nvml_source(self) -> EvidenceSource:
        table = self.config.evidence
        if not table.nvml:
            return SilentSource(NVML, ReasonCode.SOURCE_DISABLED)
        from chipledger_agent.gpu_evidence.nvml import NvmlSource  # noqa: PLC0415 - off by default
        from chipledger_agent.scan.evidence_lines import evidence_command  # noqa: PLC0415 - same

        libraries = self.config.scan.libraries or DEFAULT_LIBRARIES
        return NvmlSource(
            self._evidence_child or evidence_command(libraries=libraries),
            monotonic_ms=self.clock.monotonic_ms,
            deadline_s=table.nvml_deadline_s,
        )

    def _corelib_source(self) -> EvidenceSource:
        table = self.config.evidence
        if not table.corelib:
            return SilentSource(CORELIB, ReasonCode.SOURCE_DISABLED)
        from chipledger_agent.gpu_evidence.corelib import CorelibSource  # noqa: PLC0415 - off by default

        return CorelibSource(
            monotonic_ms=self.clock.monotonic_ms,
            address=str(table.corelib_socket),
            deadline_s=table.corelib_deadline_s,
        )

    def _redfish_source(self) -> EvidenceSource:
        table = self.config.evidence
        pin, credentials = table.redfish_pin_file, table.redfish_credentials_file
        if not table.redfish_url or pin is None or credentials is None:
            return SilentSource(REDFISH, ReasonCode.REDFISH_NOT_CONFIGURED)
        from chipledger_agent.gpu_evidence.bmc import Access  # noqa: PLC0415 - off by default
        from chipledger_agent.gpu_evidence.redfish import RedfishSource  # noqa: PLC0415 - same

        return RedfishSource(
            Access(url=table.redfish_url, pin_file=pin, credentials_file=credentials),
            monotonic_ms=self.clock.monotonic_ms,
            pause_ms=self.clock.pause_ms,
            deadline_s=table.redfish_deadline_s,
        )

    def capture(self, *, override: Path | None = None) -> TakenCapture:
        """Return every NVML answer of this machine, scrubbed; raises `capture-failed`."""
        from chipledger_agent.scan import capture  # noqa: PLC0415 - brings the NVML binding

        libraries = self.config.scan.libraries or DEFAULT_LIBRARIES
        command = capture.capture_command(libraries=libraries, override=override)
        try:
            document = capture.take_capture(monotonic_ms=self.clock.monotonic_ms, command=command)
        except capture.CaptureError as error:
            note = error.note.strip().splitlines()
            raise AgentError(
                AgentCode.CAPTURE_FAILED, str(error), hint=note[-1] if note else _NO_NOTE
            ) from error
        counts = capture.count_calls(document)
        return TakenCapture(document=document, calls=counts.total, failed_calls=counts.failed)

    def collector(self) -> Collector:
        """Return the collector, reached as configured."""
        from chipledger_agent.adapters.collector_http import Endpoint, HttpCollector  # noqa: PLC0415 - `scan` and `status` do without requests
        from chipledger_agent.adapters.pin import load_pin, proxy_url  # noqa: PLC0415 - same

        table = self.config.collector
        endpoint = Endpoint(
            url=table.url,
            pin=load_pin(table.pin_file) if table.pin_file else None,
            proxy=proxy_url(table.proxy, table.proxy_credentials_file),
            connect_timeout_s=table.connect_timeout_s,
            answer_timeout_s=table.answer_timeout_s,
        )
        return HttpCollector(endpoint, clock=self.clock)

    def journal(self) -> Journal:
        """Return the log."""
        from chipledger_agent.adapters.log import JsonJournal  # noqa: PLC0415 - 12 MiB, 70 ms

        return JsonJournal(level=self.config.log.level)

    def notifier(self) -> Notifier:
        """Return the service manager, or nobody."""
        address = self._environ.get("NOTIFY_SOCKET", "")
        return SystemdNotifier(address) if address else NoNotifier()

    def spool(self, host: str) -> SpoolFiles:
        """Return the spool of `host`'s chain, not opened."""
        table = self.config.spool
        return SpoolFiles(
            self.disk(),
            chain=f"{CHAINS}/{host}",
            limits=Limits(max_reports=table.max_reports, max_bytes=table.max_mib * _MIB),
            keep_sent_s=table.keep_sent_days * _DAY_S,
        )

    def states(self, host: str, journal: Journal) -> StateFile:
        """Return the small state of `host`'s chain."""
        return StateFile(self.disk(), chain=f"{CHAINS}/{host}", journal=journal)

    def disk(self) -> Disk:
        """Return the state folder."""
        return PosixDisk(self.config.state_dir)

    def lock(self) -> StateLock:
        """Hold the state folder, made where absent; raises `state-in-use`."""
        folder = self.config.state_dir
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise storage_failed(error, f"making {folder}") from error
        return StateLock(folder)

    def enrolment(self) -> Enrolment:
        """Return what the collector answered to the enrolment."""
        return load_enrolment(self.config.state_dir)

    def enrol(self, code: str) -> Enrolment:
        """Enrol this host, making its key where there is none, and keep the answer."""
        answer = enrol(
            code,
            _applicant(self.keyring().first()),
            scan=self.scanner().scan(),
            collector=self.collector(),
            clock=self.clock,
        )
        save_enrolment(self.config.state_dir, answer)
        return answer

    def rotate(self) -> Enrolment:
        """Let the present key bring in the next one, made where the configuration says.

        Reports under the present key are delivered first: the next one ends it.

        Raises:
            AgentError: `reports-wait`, what the collector refused, `tpm-…`.
        """
        enrolment, keyring = self.enrolment(), self.keyring()
        present = keyring.settled(enrolment.kid)
        outcome = self.cycle().deliver()
        if outcome.waiting and not keyring.has_begun():
            raise AgentError(
                AgentCode.REPORTS_WAIT,
                f"{outcome.waiting} reports wait to be delivered: {outcome.failure or 'not yet'}",
                hint="try again when the collector has taken them",
            )
        following = keyring.following(present)
        answer = rotate(
            enrolment,
            present.signer,
            _applicant(following),
            collector=self.collector(),
            clock=self.clock,
        )
        save_enrolment(self.config.state_dir, answer)
        keyring.adopt(present, following)
        return answer

    def keyring(self) -> Keyring:
        """Return this host's keys."""
        os.environ.setdefault("TSS2_LOG", "all+none")  # the TPM's C library writes to our log
        return Keyring(
            file=self.config.key_file,
            in_tpm=self.config.key.store == TPM,
            tcti=self.config.key.tpm,
            algorithm=self.config.key.algorithm,
            folder=self.config.state_dir,
            entropy=self.entropy,
        )

    def cycle(self, *, scanner: Scanner | None = None) -> Cycle:
        """Return the cycle of the enrolled host, its spool opened. The state must be locked."""
        enrolment = self.enrolment()
        key = self.keyring().present(enrolment.kid)
        journal = self.journal()
        spool = self.spool(enrolment.host)
        spool.open()
        settings = Settings(
            identity=Identity(
                host=enrolment.host,
                site=enrolment.site,
                ueid=key.ueid,
                swname=SOFTWARE,
                swversion=software_version(),
            ),
            first_epoch=enrolment.epoch,
            full_period_s=timetable(self.config, enrolment).full_period_s,
            evidence_interval_s=self.config.evidence.interval_s,
            quote_interval_s=self.config.key.quote_interval_s,
        )
        ports = Ports(
            scanner=scanner or self.scanner(),
            facts=KernelFacts(),
            clock=self.clock,
            entropy=self.entropy,
            signer=key.signer,
            quoter=key.tpm,
            collector=self.collector(),
            spool=spool,
            states=self.states(enrolment.host, journal),
            notifier=self.notifier(),
            journal=journal,
            evidence=self.evidence_sources(),
        )
        return Cycle(settings, ports)

    def daemon(self) -> "Daemon":
        """Return the service of the enrolled host. The state must be locked."""
        from chipledger_agent.daemon import Daemon, Surroundings, Timing  # noqa: PLC0415 - the scheduler is for `run` alone

        times = timetable(self.config, self.enrolment())
        scan = self.config.scan
        usec = self._environ.get("WATCHDOG_USEC", "0")
        return Daemon(
            self.cycle(),
            Timing(
                interval_s=times.interval_s,
                jitter_s=times.jitter_s,
                longest_cycle_s=2 * scan.first_deadline_s + 300 + ROUND_S,
                watchdog_s=int(usec) // 1_000_000 if usec.isdigit() else 0,
            ),
            Surroundings(
                clock=self.clock,
                entropy=self.entropy,
                notifier=self.notifier(),
                journal=self.journal(),
                observe=self._observer(),
            ),
        )

    def _observer(self) -> Callable[[Outcome], None]:
        listen = self.config.metrics.listen
        if not listen:
            return _nobody
        from chipledger_agent.adapters.metrics import AgentMetrics, MetricsServer  # noqa: PLC0415 - off by default

        metrics = AgentMetrics(clock=self.clock)
        MetricsServer(listen, metrics.text)
        return metrics.observe


def build(
    config: AgentConfig,
    *,
    scan_child: Sequence[str] | None = None,
    evidence_child: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Agent:
    """Return the agent of `config`; see :class:`Agent` for the other arguments."""
    return Agent(config, scan_child=scan_child, evidence_child=evidence_child, environ=environ)


def _applicant(key: HostKey) -> Applicant:
    return Applicant(signer=key.signer, tier=key.tier, ueid=key.ueid, tpm=key.tpm)


def _nobody(_: Outcome) -> None:
    """Nobody collects metrics."""
