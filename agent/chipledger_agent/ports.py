"""What the agent needs from the world, in its own words. Adapters and fakes keep these promises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chipledger_agent.domain.chain import Link
from chipledger_agent.domain.claims import Scan
from chipledger_agent.domain.evidence import Gathered
from chipledger_agent.domain.spoolrules import Usage
from chipledger_agent.domain.state import State
from chipledger_evidence.activation import ActivationChallenge
from chipledger_evidence.answers import Challenge, ChallengeRequest, ReportAnswer
from chipledger_evidence.claims import Refused, TpmQuote
from chipledger_evidence.enrolment import Enrolment
from chipledger_evidence.ids import TokenId
from chipledger_evidence.inventory import Inventory
from chipledger_evidence.token import Token
from chipledger_evidence.tpm.offer import TpmOffer


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """One boot of this machine: public digest of the kernel's boot id, and its age."""

    bootseed: str
    uptime_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What the collector says of itself.

    Attributes:
        working: it takes reports.
        clock_s: its clock from the answer's `Date`, Unix seconds, when it sent one.
        facts: the answer's members, as text.
    """

    working: bool
    clock_s: int | None
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A signed token and the evidence bytes that travel beside it."""

    token: Token
    blobs: tuple[bytes, ...] = ()


class Scanner(Protocol):
    """Looks at the machine once. Whatever goes wrong is inside the result, with its reason."""

    def scan(self) -> Scan:
        """Return what was seen within the deadline."""
        ...


class EvidenceSource(Protocol):
    """One way to a device's own signature. Never raises: what failed is a reason in the answer."""

    @property
    def name(self) -> str:
        """`nvml`, `corelib` or `redfish`."""
        ...

    @property
    def asks(self) -> bool:
        """Whether it is switched on; one that is not answers with its reason at once."""
        ...

    def gather(self, nonce: bytes, inventory: Inventory, *, within_s: int) -> Gathered:
        """Return what the devices of this machine sign over `nonce`, 32 bytes.

        Args:
            nonce: the device nonce of the round.
            inventory: what the newest scan saw.
            within_s: seconds that are left; its own deadline may be shorter, never longer.
        """
        ...


class HostFacts(Protocol):
    """Facts of the running kernel."""

    def boot(self) -> Boot:
        """Return the present boot."""
        ...


class Clock(Protocol):
    """Time. The wall clock may jump; the monotonic one does not."""

    def now_s(self) -> int:
        """Return Unix seconds."""
        ...

    def monotonic_ms(self) -> int:
        """Return milliseconds since some fixed moment."""
        ...


class Entropy(Protocol):
    """Chance."""

    def octets(self, count: int) -> bytes:
        """Return `count` unpredictable bytes."""
        ...

    def below(self, limit: int) -> int:
        """Return a uniform integer from 0 to `limit` - 1."""
        ...


class Collector(Protocol):
    """The other side of docs/WIRE.md section 6.

    Every method raises `CollectorUnavailable` when the same request may be repeated later and
    `CollectorRefused` when the request as a whole was refused.
    """

    def enrol(self, request: bytes) -> Enrolment | ActivationChallenge:
        """Return the enrolment of the key that signed `request`, or what its TPM must open."""
        ...

    def activate(self, request: bytes) -> Enrolment:
        """Return the enrolment of a key whose TPM opened its challenge (compact JWS)."""
        ...

    def rotate(self, request: bytes) -> Enrolment | ActivationChallenge:
        """Return the enrolment with the host's next key, or what its TPM must open."""
        ...

    def challenge(self, request: ChallengeRequest) -> Challenge:
        """Return a fresh nonce and the head of the host's chain."""
        ...

    def deliver(self, tokens: Sequence[Token], blobs: Sequence[bytes] = ()) -> ReportAnswer:
        """Return one result a token, in order; *stored* means durable at the collector.

        Args:
            tokens: the reports.
            blobs: the evidence bytes they name.
        """
        ...

    def health(self) -> Health:
        """Return what the collector says of itself."""
        ...


class TpmKey(Protocol):
    """A host key in a TPM. Every method raises `AgentError` with a `tpm-…` code."""

    def offer(self) -> TpmOffer:
        """Return what the collector must know of the TPM."""
        ...

    def activate(self, blob: bytes, seed: bytes) -> bytes:
        """Return the secret that the collector wrapped for this TPM."""
        ...

    def certify(self, extra: bytes) -> tuple[bytes, bytes]:
        """Return the TPM's statement that it holds the key, with `extra`, and its signature."""
        ...


class Quoter(Protocol):
    """A TPM that says how this machine was started, and how its own clock stands."""

    def quote(self, extra: bytes) -> TpmQuote:
        """Return its statement over `extra`; raises `AgentError` with a `tpm-…` code."""
        ...


class Spool(Protocol):
    """Signed reports of one host, from signing to the end of their retention.

    A report that `keep` returned for survives a crash at any point, in its order, until it is
    acknowledged and its retention has passed. Faults of the disk are an `AgentError` with code
    `storage-failed`; after one the spool still tells the truth about what it holds.
    """

    def head(self) -> Link:
        """Return the newest report ever kept here."""
        ...

    def known(self) -> Mapping[int, TokenId]:
        """Return every report still held, by `seq`."""
        ...

    def acknowledged(self) -> int:
        """Return the highest acknowledged `seq` still held, 0 when none."""
        ...

    def has_room(self) -> bool:
        """Tell whether one more report may wait."""
        ...

    def usage(self) -> Usage:
        """Return how much waits."""
        ...

    def keep(self, seq: int, token: Token, blobs: Sequence[bytes] = ()) -> None:
        """Make `token` and the blobs it names durable together; only then may it be sent."""
        ...

    def waiting(self) -> Sequence[Link]:
        """Return the reports not yet answered, oldest first. All of them are durable."""
        ...

    def load(self, link: Link) -> Report:
        """Return a waiting report; `report-unreadable` when its bytes are not what was signed."""
        ...

    def acknowledge(self, link: Link, *, now_s: int) -> None:
        """File a waiting report as sent; it stays for the retention."""
        ...

    def put_aside(self, link: Link, *, code: str) -> None:
        """File a waiting report as refused, to be named in the next tokens."""
        ...

    def untold(self) -> Sequence[Refused]:
        """Return the refused reports that no accepted token has named, oldest first."""
        ...

    def told(self, refused: Sequence[Refused]) -> None:
        """Remember that an accepted token named these."""
        ...

    def requeue(self, *, after_seq: int) -> int:
        """Let acknowledged reports after `after_seq` wait again; return how many."""
        ...

    def count_skip(self) -> None:
        """Count one scan that was not made or not kept; works on a full disk."""
        ...

    def skipped(self) -> int:
        """Return the scans counted since the newest kept report."""
        ...

    def prune(self, *, now_s: int) -> int:
        """Delete what its retention has passed for; return how many."""
        ...


class StateStore(Protocol):
    """Keeps the small state; a loss is survived."""

    def load(self) -> State | None:
        """Return the state, ``None`` when there is none."""
        ...

    def save(self, state: State) -> None:
        """Make `state` durable; raises `storage-failed`."""
        ...


class Notifier(Protocol):
    """Tells the service manager about work that was done."""

    def ready(self) -> None:
        """Start-up is over."""
        ...

    def progress(self, status: str) -> None:
        """A piece of work is done: feeds the watchdog and shows `status`."""
        ...

    def stopping(self) -> None:
        """The end has begun."""
        ...


class Journal(Protocol):
    """Takes one event for each change of state: a fixed name and facts, never a secret."""

    def event(self, name: str, **facts: str | int | bool | None) -> None:
        """Note something that went as intended."""
        ...

    def trouble(self, name: str, **facts: str | int | bool | None) -> None:
        """Note something that a person may have to look at."""
        ...
