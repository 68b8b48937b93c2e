"""One host whose agent runs in this process, on a disk and a collector that can fail."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chipledger_agent.adapters.durable import Disk
from chipledger_agent.adapters.spool_files import SpoolFiles
from chipledger_agent.adapters.state_file import StateFile
from chipledger_agent.cycle import Cycle, Outcome, Ports, Settings
from chipledger_agent.domain.claims import Identity
from chipledger_agent.domain.spoolrules import Limits
from chipledger_agent.ports import Entropy, EvidenceSource
from chipledger_evidence.ids import TokenId, ueid
from chipledger_evidence.token import Token
from chipledger_testing.agent_ports import Machine, ManualClock, Notes, SeededEntropy
from chipledger_testing.claims import HOST, SITE, inventory
from chipledger_testing.collector import SimulatedCollector
from chipledger_testing.disk import SimulatedDisk
from chipledger_testing.keys import SeededSigner

CHAIN = "chains/host"
DAY_S = 86_400
ROOMY = Limits(max_reports=1000, max_bytes=10_000_000)


class WatchedSpool(SpoolFiles):
    """The real spool; notes what it promised to keep."""

    promised: dict[TokenId, int]

    def keep(self, seq: int, token: Token, blobs: Sequence[bytes] = ()) -> None:  # type: ignore[explicit-override] # typing.override needs Python 3.12
        """Make `token` durable with its blobs, and note the promise."""
        super().keep(seq, token, blobs)
        self.promised[token.identity] = seq


@dataclass(slots=True, kw_only=True)
class AgentHost:
    """An enrolled host; `start` begins a new process on the same disk.

    Attributes:
        promised: every report whose keeping returned, with its number, over all processes.
    """

    clock: ManualClock = field(default_factory=ManualClock)
    disk: Disk = field(default_factory=SimulatedDisk)
    machine: Machine = field(default_factory=lambda: Machine(inventory(provider="mock")))
    limits: Limits = ROOMY
    entropy: Entropy = field(default_factory=SeededEntropy)
    notes: Notes = field(default_factory=Notes)
    signer: SeededSigner = field(default_factory=lambda: SeededSigner("agent host"))
    promised: dict[TokenId, int] = field(default_factory=dict)
    evidence: tuple[EvidenceSource, ...] = ()
    make_collector: Callable[[ManualClock], SimulatedCollector] = SimulatedCollector
    collector: SimulatedCollector = field(init=False)
    spool: WatchedSpool = field(init=False)
    cycle: Cycle = field(init=False)
    _epoch: str = field(init=False)

    def __post_init__(self) -> None:
        self.collector = self.make_collector(self.clock)
        self._epoch = self.collector.admit(self.signer.public, host=HOST, site=SITE)

    def start(self) -> None:
        """Begin a process: open the spool, read the state."""
        self.spool = WatchedSpool(self.disk, chain=CHAIN, limits=self.limits, keep_sent_s=7 * DAY_S)
        self.spool.promised = self.promised
        self.spool.open()
        settings = Settings(
            identity=Identity(
                host=HOST,
                site=SITE,
                ueid=ueid("host", bytes(32)),
                swname="chipledger-agent",
                swversion="0",
            ),
            first_epoch=self._epoch,
            full_period_s=DAY_S,
        )
        ports = Ports(
            scanner=self.machine,
            facts=self.machine,
            clock=self.clock,
            entropy=self.entropy,
            signer=self.signer,
            collector=self.collector,
            spool=self.spool,
            states=StateFile(self.disk, chain=CHAIN, journal=self.notes),
            notifier=self.notes,
            journal=self.notes,
            evidence=self.evidence,
        )
        self.cycle = Cycle(settings, ports)

    def run(self, *, after_s: int = 3600) -> Outcome:
        """Let time pass, then run the cycle once."""
        self.clock.advance(after_s)
        return self.cycle.run()

    def crash(self, choose: Callable[[], bool]) -> None:
        """End the process and the machine's memory; the disk stays, as `choose` decides."""
        if not isinstance(self.disk, SimulatedDisk):
            raise TypeError("only a simulated disk forgets")
        self.disk = self.disk.restarted(choose)
