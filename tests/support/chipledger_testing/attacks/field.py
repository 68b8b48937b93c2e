"""The field on which attacks are tried: honest hosts with the evidence of a setup, and time."""

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from chipledger_evidence.answers import RefusedToken
from chipledger_evidence.appraisal.attacks import Setup
from chipledger_evidence.enrolment import KeyTier
from chipledger_evidence.inventory import MAX_CHIPS
from chipledger_evidence.nonce import Kind
from chipledger_evidence.token import Token
from chipledger_testing.collector_inside import HOUR_MS, CollectorInside
from chipledger_testing.gpu_pki import GpuMaker, Shape
from chipledger_testing.hosts import SimulatedHost
from chipledger_testing.rounds import answer, host_of

SIGNING = frozenset({Setup.GPU, Setup.SWITCH, Setup.BMC})
ROUND_HOURS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A finding that opened after the attack began.

    Attributes:
        kind: its type.
        after_ms: how long after the attack's first act that the collector could see.
        open: whether it still is.
    """

    kind: str
    after_ms: int
    open: bool


@dataclass(slots=True)
class Field:
    """A collector with honest hosts, where an attack can be made.

    Attributes:
        inside: the collector.
        setup: which evidence the site offers.
        booked: chips that are on the book.
        refused: codes with which doors refused, since the beginning.
        suspects: indices of chips in the cheat's inventory that are not what they are said to be.
    """

    inside: CollectorInside
    setup: Setup
    booked: int = 0
    refused: list[str] = field(default_factory=list)
    suspects: Sequence[int] = ()
    _makers: dict[str, list[GpuMaker]] = field(default_factory=dict)
    _switches: dict[str, list[GpuMaker]] = field(default_factory=dict)
    _hosts: list[SimulatedHost] = field(default_factory=list)
    _before: frozenset[str] = frozenset()
    _begun_ms: int | None = None
    _rounds: int = 0

    @property
    def signs(self) -> bool:
        """Whether chips sign for themselves."""
        return self.setup in SIGNING

    def host(self, seed: str, *, site: str = "ams-1", chips: int = 2) -> SimulatedHost:
        """Return a new honest host that has reported, and whose chips have signed if they can."""
        first = 100 * (1 + len(self._makers))
        makers = [GpuMaker(first + number) for number in range(chips)]
        return self.arrive(host_of(seed, makers), makers, site=site)

    def arrive(
        self, host: SimulatedHost, makers: Sequence[GpuMaker], *, site: str = "ams-1"
    ) -> SimulatedHost:
        """Enrol a host that lists what it likes, and let it report; `makers` are its real chips."""
        self.inside.admit(host, site=site)
        if self.setup is Setup.TPM:
            self.inside.connection.execute(
                "UPDATE host_keys SET tier = ? WHERE host = ?", (KeyTier.TPM_EK.value, host.host)
            )
        self._makers[host.seed] = list(makers)
        seen = tuple(maker.pdi for maker in makers)
        if self.setup is Setup.SWITCH and makers:
            self._switches[host.seed] = [GpuMaker(makers[0].number, Shape.SWITCH, sees=seen)]
        self._hosts.append(host)
        self.full(host)
        self.sign(host)
        return host

    def makers(self, host: SimulatedHost) -> list[GpuMaker]:
        """Return the real chips behind a host; a change is what happens to them."""
        return self._makers[host.seed]

    def begin(self) -> None:
        """Note that the attack does now what the collector could see first."""
        rows = self.inside.rows("SELECT id FROM findings")
        self._before, self._begun_ms = frozenset(key for (key,) in rows), self.inside.clock.ms

    def opened(self) -> list[Opened]:
        """Return the findings that opened since."""
        if self._begun_ms is None:
            raise AssertionError("the attack never began")
        rows = self.inside.rows("SELECT id, type, opened_ms, state FROM findings ORDER BY id")
        return [
            Opened(kind=kind, after_ms=opened_ms - self._begun_ms, open=state == "open")
            for key, kind, opened_ms, state in rows
            if key not in self._before
        ]

    def full(self, host: SimulatedHost, **changes: object) -> None:
        """Let a host send a full report now."""
        self.send(host, self.inside.full(host, **changes))

    def beat(self, host: SimulatedHost, **changes: object) -> None:
        """Let a host send a heartbeat now."""
        self.send(host, self.inside.heartbeat(host, **changes))

    def send(self, host: SimulatedHost, token: Token, *, blobs: tuple[bytes, ...] = ()) -> None:
        """Send a host's newest token; one that is refused is put aside, as an agent does."""
        for result in self.inside.take(token, blobs=blobs).results:
            if isinstance(result, RefusedToken):
                self.refused.append(result.code)
                host.seq, host.prev = host.seq - 1, self._previous(token)
        self.inside.step()

    def sign(
        self,
        host: SimulatedHost,
        makers: Any = None,  # noqa: ANN401 - as `answer` takes them
        *,
        switches: Sequence[GpuMaker] | None = None,
        nonce: bytes | None = None,
    ) -> None:
        """Let a round of evidence happen now, where chips sign; by default the honest one."""
        if not self.signs:
            return
        host.now_s = self.inside.clock.ms // 1000
        challenge = self.inside.nonce(host, Kind.EVIDENCE)
        if switches is None:
            switches = self._switches.get(host.seed, ())
        if makers is None:
            makers = self._named(host)
        made = answer(host, challenge, makers, switches=switches, nonce=nonce)
        self.send(host, made.token, blobs=made.blobs)
        self.inside.judge()

    def _named(self, host: SimulatedHost) -> dict[int | None, GpuMaker]:
        """Return the chips that answer, by the place the host gives them.

        A chip that its host does not list answers its board's own controller alone.
        """
        listed = {chip.pdi: place for place, chip in enumerate(host.inventory.chips)}
        named: dict[int | None, GpuMaker] = {}
        for at, maker in enumerate(self._makers[host.seed]):
            if maker.pdi in listed:
                named[listed[maker.pdi]] = maker
            elif self.setup is Setup.BMC:
                named[MAX_CHIPS - 1 - at] = maker
        return named

    def live(self, hours: int, *, but: Collection[SimulatedHost] = ()) -> None:
        """Let hours pass in which every host but some reports and signs as it should."""
        quiet = {host.seed for host in but}
        for _ in range(hours):
            self.inside.pass_time(HOUR_MS)
            self._rounds += 1
            for host in self._hosts:
                if host.seed in quiet:
                    continue
                self.beat(host)
                if self._rounds % ROUND_HOURS == 0:
                    self.sign(host)

    def copy(self, host: SimulatedHost) -> SimulatedHost:
        """Return a copy of a host with its key and state, as of its disk."""
        twin = dataclasses.replace(host)
        twin.signer = host.signer
        return twin

    def unaccounted(self, site: str = "ams-1") -> int:
        """Return how many booked chips nobody reports."""
        return self.booked - self.inside.standings(site).count("present")

    def _previous(self, token: Token) -> str:
        return str(msgspec.json.decode(token.payload)["prev"])
