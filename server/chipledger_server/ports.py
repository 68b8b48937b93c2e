"""What the collector needs from outside, named by role."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chipledger_evidence.verify import HostTrust
from chipledger_server.domain.arrival import Arrival, Outcome, Refusal
from chipledger_server.domain.packing import Base


class Clock(Protocol):
    """The collector's clock. Hosts' clocks are claims, this one is what we record."""

    def now_ms(self) -> int:
        """Return Unix milliseconds."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go back; for waiting, never for records."""
        ...


class Entropy(Protocol):
    """A source of randomness that nobody can predict."""

    def __call__(self, count: int, /) -> bytes:
        """Return `count` random bytes."""
        ...


@dataclass(slots=True, kw_only=True)
class KnownKey:
    """What the agents' doors remember of one enrolled key.

    Attributes:
        trust: what the pipeline needs.
        host_num: number of the host in this database.
        key_num: number of the key in this database.
        head_seq: place of the newest kept token of the host.
        head_token: its identity; `NO_PREVIOUS` when there is none.
        inventories: digests of inventories this host has sent in full, and their providers.
        base: the token that the host's next heartbeats are packed against.
        round_ms: newest token with device evidence, or with why there is none.
    """

    trust: HostTrust
    host_num: int
    key_num: int
    head_seq: int
    head_token: str
    inventories: dict[str, str]
    base: Base | None = None
    round_ms: int = 0


class Beside(Protocol):
    """Does work that takes long without keeping others waiting."""

    def __call__(self, work: Callable[[], None], /) -> Awaitable[None]:
        """Return once `work` is done."""
        ...


class KeyStore(Protocol):
    """Where enrolled keys are kept."""

    def find(self, kid: str) -> KnownKey | None:
        """Return an enrolled key with the present head of its host's chain, or None."""
        ...


class TokenWriter(Protocol):
    """Makes tokens durable, many at a time."""

    def submit(self, arrivals: Sequence[Arrival]) -> Awaitable[Sequence[Outcome]]:
        """Return, once all are durable or refused, what became of each, in order."""
        ...

    def note_refusal(self, refusal: Refusal) -> None:
        """Keep the refusal of a report, some time soon; may be lost in a crash."""
        ...
