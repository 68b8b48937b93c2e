"""Reports that were refused: what the collector noted itself, and what hosts sign of them."""

from chipledger_evidence.claims import Refused
from chipledger_evidence.ids import sha256_b64
from chipledger_evidence.token import Token
from chipledger_testing.collector_inside import CollectorInside
from chipledger_testing.hosts import NO_NONCE, SimulatedHost


def aside(token: str, *, seq: int = 1, code: str = "bad-signature") -> Refused:
    """Return what a host signs of a report that it put aside."""
    return Refused(code=code, seq=seq, token=token)


def times(inside: CollectorInside) -> list[int]:
    """Return how often each refused-report was seen."""
    return [n for (n,) in inside.rows("SELECT times FROM findings WHERE type = 'refused-report'")]


def refused_here(inside: CollectorInside, host: SimulatedHost) -> Token:
    """Return a report that the collector has refused and noted."""
    token = host.heartbeat(NO_NONCE)
    inside.take(token)
    inside.step()
    return token


def test_a_signed_refusal_opens_a_finding(inside: CollectorInside) -> None:
    """What was refused where this collector did not see it is not forgotten."""
    host = inside.enrol("a")
    token = sha256_b64(b"one that never came")
    inside.report(inside.full(host, refused=(aside(token, seq=7),)))
    assert inside.findings() == ["refused-report"]
    detail = inside.detail("refused-report")
    assert (detail["code"], detail["token"]) == ("bad-signature", token)
    assert "number 7" in detail["what"]


def test_a_refusal_is_told_once_however_often_it_is_signed(inside: CollectorInside) -> None:
    """An agent whose answer was lost tells it again."""
    host = inside.enrol("a")
    told = (aside(sha256_b64(b"one")),)
    inside.report(inside.full(host, refused=told))
    inside.report(inside.heartbeat(host, refused=told * 2))
    inside.restart()
    inside.report(inside.heartbeat(host, refused=told))
    assert times(inside) == [1]
    inside.report(inside.heartbeat(host, refused=(*told, aside(sha256_b64(b"two")))))
    assert times(inside) == [2]


def test_what_the_collector_noted_is_not_told_twice(inside: CollectorInside) -> None:
    """The host's word of it is the second one."""
    host = inside.enrol("a")
    inside.report(inside.full(host))
    token = refused_here(inside, host)
    assert times(inside) == [1]
    told = aside(token.identity, seq=2, code="foreign-nonce")
    inside.report(inside.heartbeat(host, refused=(told,)))
    assert times(inside) == [1]


def test_a_host_cannot_tell_another_hosts_refusal_away(inside: CollectorInside) -> None:
    """The same token, named by another host, is another fact."""
    one, two = inside.enrol("a"), inside.enrol("b")
    told = (aside(sha256_b64(b"one")),)
    inside.report(inside.full(two, refused=told))
    inside.report(inside.full(one, refused=told))
    assert times(inside) == [1, 1]


def test_replay_gives_the_same_findings(inside: CollectorInside) -> None:
    """Told in the log or noted at the door, computed anew or not."""
    host = inside.enrol("a")
    inside.report(inside.full(host, refused=(aside(sha256_b64(b"one")),)))
    refused_here(inside, host)
    inside.report(inside.heartbeat(host, refused=(aside(sha256_b64(b"two")),)))
    derived = inside.derived()
    inside.replay()
    inside.step()
    assert inside.derived() == derived
