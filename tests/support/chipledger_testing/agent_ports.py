"""The agent's small ports in memory: time, chance, journal, notifier, machine."""

import hashlib
from dataclasses import dataclass, field

from chipledger_agent.domain.claims import Scan
from chipledger_agent.domain.state import State
from chipledger_agent.ports import Boot
from chipledger_evidence.ids import sha256_b64
from chipledger_evidence.inventory import Counters, Inventory


class ManualClock:
    """Time that passes when the test says so."""

    def __init__(self, now_s: int = 1_790_000_000) -> None:
        self._wall_ms = now_s * 1000
        self._monotonic_ms = 0

    def now_s(self) -> int:
        """Return Unix seconds."""
        return self._wall_ms // 1000

    def monotonic_ms(self) -> int:
        """Return milliseconds since the start of the test."""
        return self._monotonic_ms

    def advance(self, seconds: int) -> None:
        """Let time pass."""
        self._wall_ms += seconds * 1000
        self._monotonic_ms += seconds * 1000

    def set_wall(self, now_s: int) -> None:
        """Set the wall clock, as people and NTP do; the monotonic clock goes on."""
        self._wall_ms = now_s * 1000


class SeededEntropy:
    """Chance that is the same in every run."""

    def __init__(self, seed: str = "seed") -> None:
        self._seed = seed
        self._turn = 0

    def octets(self, count: int) -> bytes:
        """Return `count` bytes."""
        self._turn += 1
        return hashlib.shake_256(f"{self._seed} {self._turn}".encode()).digest(count)

    def below(self, limit: int) -> int:
        """Return an integer from 0 to `limit` - 1."""
        return int.from_bytes(self.octets(8)) % limit


class LargestChance:
    """Chance that always gives the largest value."""

    def octets(self, count: int) -> bytes:
        """Return `count` bytes of ones."""
        return b"\xff" * count

    def below(self, limit: int) -> int:
        """Return `limit` - 1."""
        return limit - 1


@dataclass(slots=True)
class Notes:
    """A journal and a notifier that can be read."""

    events: list[tuple[str, dict[str, str | int | bool | None]]] = field(default_factory=list)
    progress_made: list[str] = field(default_factory=list)

    def event(self, name: str, **facts: str | int | bool | None) -> None:
        """Note an event."""
        self.events.append((name, facts))

    def trouble(self, name: str, **facts: str | int | bool | None) -> None:
        """Note trouble."""
        self.events.append((name, facts))

    def names(self) -> list[str]:
        """Return the names of everything noted."""
        return [name for name, _ in self.events]

    def ready(self) -> None:
        """Note readiness."""
        self.progress_made.append("ready")

    def progress(self, status: str) -> None:
        """Note progress."""
        self.progress_made.append(status)

    def stopping(self) -> None:
        """Note the end."""
        self.progress_made.append("stopping")


@dataclass(slots=True)
class Machine:
    """What the scanner sees and the kernel says; a test changes it between cycles."""

    inventory: Inventory
    counters: tuple[Counters, ...] = ()
    boot_number: int = 1
    uptime_s: int = 1000
    scans: int = 0

    def scan(self) -> Scan:
        """Return the present machine."""
        self.scans += 1
        return Scan(inventory=self.inventory, counters=self.counters)

    def boot(self) -> Boot:
        """Return the present boot."""
        return Boot(
            bootseed=sha256_b64(f"boot {self.boot_number}".encode()), uptime_s=self.uptime_s
        )


@dataclass(slots=True)
class StateInMemory:
    """Keeps the small state while the test lives."""

    state: State | None = None

    def load(self) -> State | None:
        """Return what was saved."""
        return self.state

    def save(self, state: State) -> None:
        """Keep `state`."""
        self.state = state
