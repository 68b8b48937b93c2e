"""Laws of attestation results: status, round trip, and tampering."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from chipledger_evidence.appraisal.ear import Issue, ear_claims, write_ear
from chipledger_evidence.appraisal.ear_reader import read_ear, read_ear_claims
from chipledger_evidence.appraisal.errors import EarError
from chipledger_evidence.appraisal.grades import Grade
from chipledger_evidence.appraisal.policy import FactName, shipped_policy
from chipledger_evidence.appraisal.results import HostResult
from chipledger_evidence.appraisal.trust import (
    Category,
    Tier,
    best_allowed,
    status_of,
    tier_of,
    worse,
)
from chipledger_evidence.enrolment import KeyTier
from chipledger_evidence.errors import EvidenceError
from chipledger_testing.appraisals import AT_S, chip, evidence, host
from chipledger_testing.keys import SeededSigner

VALUES = st.integers(-128, 127)
VECTORS = st.dictionaries(st.sampled_from(Category), VALUES)
FACT = st.sampled_from(["pass", "fail", "not-checked", "not-stated"])
FACTS = st.fixed_dictionaries({name.value: FACT for name in FactName})
EVIDENCE = st.none() | st.builds(
    lambda facts, age_s, device_class: evidence(age_s=age_s, device_class=device_class, **facts),
    FACTS,
    st.integers(-10, 100_000),
    st.sampled_from(["gpu", "nvswitch", "board", "unknown"]),
)
CHIPS = st.lists(st.tuples(EVIDENCE, st.booleans()), max_size=4)
SIGNER = SeededSigner("verifier")
ISSUE = Issue(at_s=AT_S, build="test")


def result_of(chips: list[tuple[object, bool]], tier: KeyTier) -> HostResult:
    """Return a host with chips of this evidence, disputed or not."""
    return host(
        [
            chip(f"{place:016x}", signed=signed, tier=tier, disputed=disputed)  # type: ignore[arg-type]
            for place, (signed, disputed) in enumerate(chips)
        ],
        tier=tier,
    )


RESULTS = st.builds(result_of, CHIPS, st.sampled_from(KeyTier))


@given(VALUES)
def test_every_value_has_one_tier_and_a_greater_one_is_never_better(value: int) -> None:
    """Of positive values the greater is the worse; values without a claim are neither."""
    if 2 <= value < 127:
        assert not worse(tier_of(value), tier_of(value + 1))
    assert (tier_of(value) is Tier.NONE) == (value in {-1, 0, 1})


@given(VECTORS)
def test_a_status_is_never_better_than_any_claim(vector: dict[Category, int]) -> None:
    """And it is that of one of them, so it is not worse without a reason either."""
    status = status_of(vector)
    claims = [tier_of(value) for value in vector.values() if value != 0]
    assert not any(worse(claim, status) for claim in claims)
    assert status in (claims or [Tier.NONE])
    assert not worse(best_allowed(vector), status) or status is Tier.NONE


@given(RESULTS)
def test_what_is_written_is_read_again(result: HostResult) -> None:
    """Every status and value, for every chip; and the whole is as bad as its worst part."""
    claims = ear_claims(result, shipped_policy(), issue=ISSUE)
    ear = read_ear(write_ear(result, shipped_policy(), issue=ISSUE, signer=SIGNER), SIGNER.public)
    assert {
        label: (said["ear_status"], said["ear_trustworthiness_vector"])
        for label, said in claims["submods"].items()
    } == {label: (said.status, dict(said.vector)) for label, said in ear.submods.items()}
    assert not any(worse(said.status, ear.status) for said in ear.submods.values())
    assert ear.status in {said.status for said in ear.submods.values()}


@given(RESULTS)
def test_only_what_a_chip_signed_is_ever_affirmed(result: HostResult) -> None:
    """Nothing that the driver alone says carries a claim in a chip's favour."""
    ear = read_ear(write_ear(result, shipped_policy(), issue=ISSUE, signer=SIGNER), SIGNER.public)
    for each in result.chips:
        said = ear.submods[each.label]
        if each.appraisal.grade < Grade.G3:
            assert said.status is not Tier.AFFIRMING
            assert all(value == 0 or value > 31 for value in said.vector.values())
            assert ear.status is not Tier.AFFIRMING


@given(RESULTS, st.data())
def test_every_flipped_bit_is_refused(result: HostResult, data: st.DataObject) -> None:
    """In header, payload or signature."""
    text = write_ear(result, shipped_policy(), issue=ISSUE, signer=SIGNER).encode()
    place = data.draw(st.integers(0, len(text) - 1))
    bit = data.draw(st.integers(0, 7))
    changed = text[:place] + bytes([text[place] ^ (1 << bit)]) + text[place + 1 :]
    try:
        read_ear(changed.decode("latin-1"), SIGNER.public)
    except (EarError, EvidenceError):
        return
    raise AssertionError(f"bit {bit} of character {place} may be changed")


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_result_or_are_refused(data: bytes) -> None:
    """A reader of strangers' results has one kind of error."""
    with contextlib.suppress(EarError):
        read_ear_claims(data)
    with contextlib.suppress(EarError, EvidenceError):
        read_ear(data.decode("latin-1"), SIGNER.public)
