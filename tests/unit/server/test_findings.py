"""Every finding can be told in words, with what may be innocent about it."""

import pytest

from chipledger_server.domain.findings import INNOCENT, SEVERITY, Kind, finding_id, in_words

DETAIL = {
    "changes": ["x"],
    "chips": ["x"],
    "code": "bad-signature",
    "count": 2,
    "counters": ["x"],
    "difference_s": -900,
    "differences": ["x"],
    "disputed_host": "h-b",
    "disputed_site": "b",
    "fields": ["x"],
    "hosts": 10,
    "kept_host": "h-a",
    "kept_site": "a",
    "missing": ["2-3"],
    "models": ["x"],
    "other_host": "h-c",
    "other_site": "c",
    "more": False,
    "reasons": ["x"],
    "seq": 7,
    "why": "it is not signed by the host's attestation key",
    "signs": ["x"],
    "silent": 3,
    "skipped": 4,
    "what": ["x"],
    "witness": "Switch x",
}


@pytest.mark.parametrize("kind", Kind)
def test_every_type_has_severity_words_and_innocent_explanations(kind: Kind) -> None:
    """A finding accuses nobody before it is explained."""
    assert kind in SEVERITY
    assert INNOCENT[kind]
    assert in_words(kind, DETAIL).endswith(".")


def test_the_same_fact_has_the_same_id() -> None:
    """One finding a fact, whoever finds it, and however often."""
    one = finding_id(Kind.CHAIN_GAP, "h-a", "start")
    assert one == finding_id(Kind.CHAIN_GAP, "h-a", "start")
    assert len({one, *(finding_id(k, s, t) for k, s, t in OTHERS)}) == 4


OTHERS = (
    (Kind.CHAIN_FORK, "h-a", "start"),
    (Kind.CHAIN_GAP, "h-b", "start"),
    (Kind.CHAIN_GAP, "h-a", "later"),
)
