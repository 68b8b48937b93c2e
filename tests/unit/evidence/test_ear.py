"""Each situation gets the values of the table of attestation results."""

from dataclasses import replace

import msgspec
import pytest

from chipledger_evidence.appraisal.appraise import ReceivedEvidence
from chipledger_evidence.appraisal.ear import HOST_LABEL, Issue, ear_claims, policy_id, write_ear
from chipledger_evidence.appraisal.ear_reader import EarSubmod, read_ear
from chipledger_evidence.appraisal.policy import FactName, shipped_policy
from chipledger_evidence.appraisal.results import HostResult, KeyStanding
from chipledger_evidence.appraisal.trust import Category, Tier
from chipledger_evidence.enrolment import KeyTier
from chipledger_testing.appraisals import AT_S, chip, evidence, host
from chipledger_testing.keys import SeededSigner

ISSUE = Issue(at_s=AT_S, build="test")
LABEL = "0123456789abcdef"


def submods(result: HostResult) -> dict[str, EarSubmod]:
    """Return the submodules of a host's result, as a reader sees them."""
    signer = SeededSigner("verifier")
    text = write_ear(result, shipped_policy(), issue=ISSUE, signer=signer)
    return dict(read_ear(text, signer.public).submods)


def with_fact(name: FactName, value: str) -> ReceivedEvidence:
    """Return good evidence of which one fact is another."""
    good = evidence()
    return replace(good, facts={**good.facts, name: value})


@pytest.mark.parametrize(
    ("standing", "tier", "value"),
    [
        (KeyStanding.ENROLLED, KeyTier.TPM_EK, 2),
        (KeyStanding.ENROLLED, KeyTier.IDEVID, 2),
        (KeyStanding.ENROLLED, KeyTier.SOFTWARE, 1),
        (KeyStanding.UNKNOWN, KeyTier.TPM_EK, 97),
        (KeyStanding.REVOKED, KeyTier.TPM_EK, 96),
        (KeyStanding.RETIRED, KeyTier.TPM_EK, 96),
    ],
)
def test_a_host_s_identity_is_worth_what_holds_its_key(
    standing: KeyStanding, tier: KeyTier, value: int
) -> None:
    """A key in a file is a claim of nobody."""
    result = replace(host([chip()], tier=tier), standing=standing)
    assert submods(result)[HOST_LABEL].vector[Category.INSTANCE_IDENTITY] == value


def test_what_the_driver_says_comes_from_a_source_that_attests_nothing() -> None:
    """Never affirming, though a TPM holds the key."""
    said = submods(host([chip()], tier=KeyTier.TPM_EK))
    assert said[HOST_LABEL].vector[Category.SOURCED_DATA] == 32
    assert said[HOST_LABEL].status is Tier.WARNING
    assert set(said[LABEL].vector.values()) == {0}
    assert said[LABEL].status is Tier.NONE


def test_a_chip_that_signed_with_known_firmware_is_affirmed() -> None:
    """The one case in which everything is."""
    said = submods(host([chip(signed=evidence())], tier=KeyTier.TPM_EK))
    assert dict(said[LABEL].vector) == {"hardware": 2, "executables": 2, "instance-identity": 2}
    assert dict(said[HOST_LABEL].vector) == {"instance-identity": 2, "sourced-data": 2}
    assert {each.status for each in said.values()} == {Tier.AFFIRMING}


def test_a_software_key_keeps_even_that_from_being_affirming() -> None:
    """A copy of the key could have carried the evidence."""
    said = submods(host([chip(signed=evidence())]))
    assert (said[LABEL].status, said[HOST_LABEL].status) == (Tier.AFFIRMING, Tier.NONE)


@pytest.mark.parametrize(
    ("measurements", "executables", "status"),
    [
        ("not-checked", 1, Tier.NONE),
        ("not-stated", 1, Tier.NONE),
        ("fail", 33, Tier.WARNING),
    ],
)
def test_firmware_without_reference_is_unknown_and_with_another_a_warning(
    measurements: str, executables: int, status: Tier
) -> None:
    """The hardware is genuine all the same."""
    said = submods(host([chip(signed=evidence(measurements=measurements))], tier=KeyTier.TPM_EK))
    assert dict(said[LABEL].vector) == {"hardware": 2, "executables": executables}
    assert said[LABEL].status is status
    assert said[HOST_LABEL].vector[Category.SOURCED_DATA] == 32


@pytest.mark.parametrize("fact", ["chain", "class", "signature", "nonce", "firmware", "revocation"])
def test_evidence_that_is_wrong_is_worse_than_none(fact: str) -> None:
    """A failed signature contradicts chip and host."""
    signed = with_fact(FactName(fact), "fail")
    said = submods(host([chip(signed=signed)], tier=KeyTier.TPM_EK))
    assert dict(said[LABEL].vector) == {"hardware": 99}
    assert said[HOST_LABEL].vector[Category.SOURCED_DATA] == 96


@pytest.mark.parametrize(
    "signed",
    [
        evidence(chain="not-checked"),
        evidence(age_s=26 * 3600 + 1),
        evidence(device_class="nvswitch"),
    ],
    ids=["unchecked", "too old", "of a switch"],
)
def test_evidence_that_does_not_count_is_as_good_as_none(signed: ReceivedEvidence) -> None:
    """It is neither proof nor a lie."""
    said = submods(host([chip(signed=signed)], tier=KeyTier.TPM_EK))
    assert set(said[LABEL].vector.values()) == {0}
    assert said[HOST_LABEL].vector[Category.SOURCED_DATA] == 32


def test_a_debug_mode_is_a_warning_on_every_chip_that_signed() -> None:
    """What runs there can be watched and changed."""
    result = replace(host([chip(signed=evidence())], tier=KeyTier.TPM_EK), debug=True)
    said = submods(result)
    assert said[LABEL].vector[Category.CONFIGURATION] == 32
    assert said[HOST_LABEL].vector[Category.SOURCED_DATA] == 32


def test_nothing_of_a_test_site_is_affirming() -> None:
    """Simulated chips are believed there; whoever reads the result is told."""
    result = replace(host([chip(signed=evidence())], tier=KeyTier.TPM_EK), test_site=True)
    said = submods(result)
    assert {each.status for each in said.values()} == {Tier.WARNING}
    assert said[HOST_LABEL].said["test_site"] is True


def test_a_result_says_of_which_time_it_speaks() -> None:
    """It is issued now, whatever time was asked about."""
    result = replace(host([chip()]), as_of_ms=1, known_at_ms=2)
    said = submods(result)[HOST_LABEL].said
    assert (said["as_of_ms"], said["known_at_ms"]) == (1, 2)


def test_a_refused_query_is_said() -> None:
    """Elements were not available."""
    assert submods(host([chip()], partial=True))[HOST_LABEL].vector[Category.CONFIGURATION] == 36


def test_an_identity_in_two_places_contradicts_both() -> None:
    """Whatever it signed."""
    said = submods(host([chip(signed=evidence(), disputed=True)], tier=KeyTier.TPM_EK))
    assert said[LABEL].vector[Category.INSTANCE_IDENTITY] == 96
    assert said[HOST_LABEL].vector[Category.SOURCED_DATA] == 96


def test_a_host_without_chips_is_no_better_than_its_driver() -> None:
    """That nothing is there is a driver's word too."""
    assert submods(host(tier=KeyTier.TPM_EK))[HOST_LABEL].vector[Category.SOURCED_DATA] == 32


def test_a_result_names_policy_grade_and_evidence_and_carries_no_evidence() -> None:
    """Enough to compute it again, and nothing that is not needed to."""
    result = host([chip(signed=evidence())])
    claims = ear_claims(result, shipped_policy(), issue=ISSUE)
    said = claims["submods"][LABEL]
    assert said["ear_appraisal_policy_ids"] == [policy_id(shipped_policy())]
    assert said["ear_verifier_claims"]["grade"] == "G3"
    assert said["ear_verifier_claims"]["evidence"]["digest"]
    assert "ear_raw_evidence" not in msgspec.json.encode(claims).decode()


@pytest.mark.parametrize("labels", [("a", "a"), ("a", HOST_LABEL)])
def test_two_submodules_of_one_name_are_refused(labels: tuple[str, str]) -> None:
    """One would hide the other."""
    with pytest.raises(ValueError, match=labels[1]):
        ear_claims(host([chip(name) for name in labels]), shipped_policy(), issue=ISSUE)


@pytest.mark.parametrize("count", [7, 65])
def test_a_nonce_has_8_to_64_bytes(count: int) -> None:
    """RFC 9711 allows no other."""
    issue = Issue(at_s=AT_S, build="test", nonce=bytes(count))
    with pytest.raises(ValueError, match=str(count)):
        ear_claims(host([chip()]), shipped_policy(), issue=issue)
