"""No challenge is given twice: the promise, and collectors that break it, so that it would show.

What a chip signs is worth something because the nonce is new. A collector that gives one nonce
again lets evidence be kept and shown again, and everything else about it would look right.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import Literal

import pytest

from chipledger_evidence.answers import Challenge, ChallengeRequest, RefusedToken
from chipledger_evidence.nonce import Kind
from chipledger_server.adapters.entropy import BufferedEntropy
from chipledger_server.ports import Entropy
from chipledger_server.usecases.challenge import Challenges
from chipledger_testing.collector_inside import NONCE_KEYS, CollectorInside
from chipledger_testing.gpu_pki import GpuMaker
from chipledger_testing.hosts import SimulatedHost
from chipledger_testing.rounds import answer, host_of

ASKED = 10_000
TWO = (GpuMaker(1), GpuMaker(2))
Ask = Callable[[ChallengeRequest], Challenge]
Purpose = Literal["report", "evidence"]


def door(inside: CollectorInside, entropy: Entropy) -> Challenges:
    """Return the collector's own door over this source of chance; its clock stands still."""
    return Challenges(
        keys=inside.keys,
        clock=inside.clock,
        entropy=entropy,
        nonce_keys=NONCE_KEYS,
        policy=inside.config.policy,
        counts=inside.counts,
    )


def repeated(ask: Ask, host: SimulatedHost, purpose: Purpose) -> int:
    """Return how many of many challenges were given before."""
    request = ChallengeRequest(host=host.host, kid=host.signer.public.kid, purpose=purpose)
    return ASKED - len({ask(request).nonce for _ in range(ASKED)})


def constant(count: int, /) -> bytes:
    """Return the same bytes every time."""
    return bytes(count)


def few() -> Entropy:
    """Return a source whose bytes come round again."""
    numbers = cycle(range(1000))
    return lambda count: next(numbers).to_bytes(count)


@dataclass
class Keeps:
    """A door that gives a host its first challenge again."""

    ask: Ask
    first: Challenge | None = None

    def __call__(self, request: ChallengeRequest) -> Challenge:
        """Return the first challenge."""
        self.first = self.first or self.ask(request)
        return self.first


@pytest.mark.parametrize("purpose", ["report", "evidence"])
def test_no_challenge_is_given_twice(inside: CollectorInside, purpose: Purpose) -> None:
    """Not even within one moment, whatever it is asked for."""
    host = inside.enrol("s")
    assert repeated(door(inside, BufferedEntropy()).make, host, purpose) == 0


@pytest.mark.parametrize("purpose", ["report", "evidence"])
def test_a_collector_that_reuses_a_nonce_breaks_that_promise(
    inside: CollectorInside, purpose: Purpose
) -> None:
    """One nonce for all, a few in turn, or the host's first one kept: each shows."""
    host = inside.enrol("s")
    good = door(inside, BufferedEntropy()).make
    mutants: list[Ask] = [door(inside, constant).make, door(inside, few()).make, Keeps(good)]
    for mutant in mutants:
        assert repeated(mutant, host, purpose) > 0


def test_a_nonce_given_again_is_not_taken_again(inside: CollectorInside) -> None:
    """The host that echoes it is refused: evidence of the earlier round raises nothing twice."""
    host = inside.admit(host_of("s", TWO))
    inside.report(inside.full(host))
    challenge = inside.nonce(host, Kind.EVIDENCE)
    first, again = (answer(host, challenge, TWO) for _ in range(2))
    inside.report(first.token, blobs=first.blobs)
    (result,) = inside.take(again.token, blobs=again.blobs).results
    assert isinstance(result, RefusedToken)
    assert result.code == "spent-nonce"
