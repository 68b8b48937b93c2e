"""A host with a real TPM in software, whose agent speaks to a collector in the same process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from chipledger_agent.adapters.durable import PosixDisk
from chipledger_agent.adapters.keyring import HostKey, Keyring
from chipledger_agent.adapters.spool_files import SpoolFiles
from chipledger_agent.adapters.state_file import StateFile
from chipledger_agent.cycle import Cycle, Outcome, Ports, Settings
from chipledger_agent.cycle.enrol import Applicant, enrol, rotate
from chipledger_agent.domain.claims import Identity
from chipledger_agent.domain.failures import CollectorRefused, CollectorUnavailable
from chipledger_agent.domain.spoolrules import Limits
from chipledger_agent.ports import Health
from chipledger_evidence.activation import ActivationChallenge
from chipledger_evidence.answers import Challenge, ChallengeRequest, ReportAnswer
from chipledger_evidence.enrolment import Enrolment
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.token import Token
from chipledger_server.domain.codes import ServerError
from chipledger_testing.agent_ports import Machine, Notes, SeededEntropy
from chipledger_testing.collector_inside import CollectorInside
from chipledger_testing.hosts import chip_of, inventory_of

T = TypeVar("T")
DAY_S = 86_400


class InsideCollector:
    """The agent's port onto a collector's doors; the next answers can be lost on the way.

    Attributes:
        inside: the collector.
        lose: which of the next answers are lost, after the collector has done the work.
        deaf: no report comes through.
        said: the bodies that came to the enrolments' doors, by door.
    """

    def __init__(self, inside: CollectorInside) -> None:
        self.inside = inside
        self.lose: list[bool] = []
        self.deaf = False
        self.said: dict[str, bytes] = {}

    def enrol(self, request: bytes) -> Enrolment | ActivationChallenge:
        """Ask the enrolments' door."""
        return self._ask("enrol", self.inside.enrolments().enrol, request)

    def activate(self, request: bytes) -> Enrolment:
        """Ask the activations' door."""
        return self._ask("activate", self.inside.enrolments().activate, request)

    def rotate(self, request: bytes) -> Enrolment | ActivationChallenge:
        """Ask the rotations' door."""
        return self._ask("rotate", self.inside.enrolments().rotate, request)

    def challenge(self, request: ChallengeRequest) -> Challenge:
        """Ask for a challenge."""
        self.inside.keys.forget()
        return _refusing(lambda: self.inside.challenges().make(request))

    def deliver(self, tokens: Sequence[Token], blobs: Sequence[bytes] = ()) -> ReportAnswer:
        """Send reports, and let them be applied."""
        if self.deaf:
            raise CollectorUnavailable("collector-unreachable", "no report is taken")
        self.inside.keys.forget()
        answer = self.inside.take(*tokens, blobs=tuple(blobs))
        self.inside.step()
        return answer

    def health(self) -> Health:
        """Return that it works."""
        return Health(working=True, clock_s=None, facts={})

    def _ask(self, name: str, door: Callable[[bytes], T], request: bytes) -> T:
        self.said[name] = request
        answer = _refusing(lambda: door(request))
        self.inside.step()
        if self.lose and self.lose.pop(0):
            raise CollectorUnavailable("collector-unreachable", "the answer was lost")
        return answer


def _refusing(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except (EvidenceError, ServerError) as error:
        raise CollectorRefused(error.code, error.detail) from error


@dataclass(slots=True)
class InsideClock:
    """The agent's clock, which is the collector's."""

    inside: CollectorInside

    def now_s(self) -> int:
        """Return Unix seconds."""
        return self.inside.clock.ms // 1000

    def monotonic_ms(self) -> int:
        """Return milliseconds."""
        return self.inside.clock.ms


@dataclass(slots=True)
class TpmHost:
    """One machine: a state folder, a TPM, an agent.

    Attributes:
        folder: the agent's state folder.
        inside: the collector.
        tcti: how the TPM is reached; a host without one has its key in a file.
        enrolment: what the collector answered.
        mute: it leaves its TPM's quotes out.
        notes: the agent's journal.
        door: what the agent speaks to.
        machine: what it sees.
    """

    folder: Path
    inside: CollectorInside
    tcti: str = ""
    enrolment: Enrolment | None = None
    mute: bool = False
    notes: Notes = field(default_factory=Notes)
    door: InsideCollector = field(init=False)
    machine: Machine = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.door = InsideCollector(self.inside)
        seed = self.folder.name
        self.machine = Machine(inventory_of(*(chip_of(seed, index) for index in range(2))))

    @property
    def keyring(self) -> Keyring:
        """The host's keys."""
        return Keyring(
            file=self.folder / ("tpm-key.json" if self.tcti else "key.pem"),
            in_tpm=bool(self.tcti),
            tcti=self.tcti,
            algorithm="es256",
            folder=self.folder,
            entropy=SeededEntropy(str(self.folder)),
        )

    @property
    def key(self) -> HostKey:
        """The present key."""
        if self.enrolment is None:
            return self.keyring.first()
        return self.keyring.settled(self.enrolment.kid)

    def enrol(self, code: str) -> Enrolment:
        """Enrol as the agent does."""
        self.enrolment = enrol(
            code,
            applicant(self.key),
            scan=self.machine.scan(),
            collector=self.door,
            clock=InsideClock(self.inside),
        )
        return self.enrolment

    def rotate(self) -> Enrolment:
        """Rotate as the agent does."""
        if self.enrolment is None:
            raise AssertionError("only an enrolled host rotates")
        present = self.key
        following = self.keyring.following(present)
        clock = InsideClock(self.inside)
        self.enrolment = rotate(
            self.enrolment,
            present.signer,
            applicant(following),
            collector=self.door,
            clock=clock,
        )
        self.keyring.adopt(present, following)
        return self.enrolment

    def report(self, *, after_s: int = 3600) -> Outcome:
        """Let time pass, begin a process of the agent, and run one cycle."""
        if self.enrolment is None:
            raise AssertionError("only an enrolled host reports")
        self.inside.pass_time(after_s * 1000)
        key, host = self.key, self.enrolment.host
        spool = SpoolFiles(
            PosixDisk(self.folder),
            chain=f"chains/{host}",
            limits=Limits(max_reports=1000, max_bytes=10_000_000),
            keep_sent_s=7 * DAY_S,
        )
        spool.open()
        settings = Settings(
            identity=Identity(
                host=host,
                site=self.enrolment.site,
                ueid=key.ueid,
                swname="chipledger-agent",
                swversion="0",
            ),
            first_epoch=self.enrolment.epoch,
            full_period_s=DAY_S,
            quote_interval_s=DAY_S,
        )
        ports = Ports(
            scanner=self.machine,
            facts=self.machine,
            clock=InsideClock(self.inside),
            entropy=SeededEntropy(),
            signer=key.signer,
            collector=self.door,
            spool=spool,
            states=StateFile(PosixDisk(self.folder), chain=f"chains/{host}", journal=self.notes),
            notifier=self.notes,
            journal=self.notes,
            quoter=None if self.mute else key.tpm,
        )
        return Cycle(settings, ports).run()


def applicant(key: HostKey) -> Applicant:
    """Return who asks for a key."""
    return Applicant(signer=key.signer, tier=key.tier, ueid=key.ueid, tpm=key.tpm)
