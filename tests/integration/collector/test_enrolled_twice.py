"""One machine enrolled as two hosts: a cloned image, or a key that was made anew."""

from chipledger_testing.collector_inside import CollectorInside
from chipledger_testing.hosts import SimulatedHost, simulated
from chipledger_testing.keys import SeededSigner


def with_key(seed: str, key: str) -> SimulatedHost:
    """Return the machine of a seed with another key."""
    host = simulated(seed)
    host.signer = SeededSigner(key)
    return host


def test_an_identity_enrolled_under_another_host_is_found(inside: CollectorInside) -> None:
    """It is admitted, and somebody must explain it; the first host is not accused."""
    one = inside.enrol("a")
    inside.step()
    assert inside.findings() == []
    two = inside.admit(with_key("a", "other"), site="kul-1")
    inside.step()
    assert two.host != one.host
    assert inside.findings() == ["ueid-reused"]
    assert inside.rows("SELECT site, host FROM findings") == [("kul-1", two.host)]
    detail = inside.detail("ueid-reused")
    assert (detail["other_host"], detail["other_site"]) == (one.host, "ams-1")
    inside.report(inside.full(two))
    derived = inside.derived()
    inside.replay()
    assert inside.derived() == derived


def test_an_enrolment_repeated_with_its_key_is_no_second_one(inside: CollectorInside) -> None:
    """A lost answer is asked for again."""
    host = inside.enrol("a")
    inside.step()
    for other in ("b", "c"):
        inside.enrol(other)
    inside.step()
    assert inside.findings() == []
    assert host.host
