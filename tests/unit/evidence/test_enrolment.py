"""The enrolment request proves possession of the key it asks for."""

import pytest

from chipledger_evidence.enrolment import (
    EnrolmentRequest,
    KeyTier,
    open_enrolment,
    sign_enrolment,
)
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.ids import ueid
from chipledger_testing.keys import SeededSigner

SIGNER = SeededSigner("enrolment")


def request(signer: SeededSigner = SIGNER) -> EnrolmentRequest:
    """Return a request that asks for the signer's own key."""
    return EnrolmentRequest(
        code="ce-" + "a" * 32,
        iat=1_790_000_000,
        jwk=signer.public.jwk,
        provider="nvml",
        tier=KeyTier.SOFTWARE,
        ueid=ueid("host", b"\x01" * 32),
    )


@pytest.mark.parametrize("alg", ["ES256", "Ed25519"])
def test_request_opens_to_what_was_signed(alg: str) -> None:
    """A signed request gives the request and its key back."""
    signer = SeededSigner("enrolment", alg=alg)
    opened, key = open_enrolment(sign_enrolment(request(signer), signer))
    assert opened == request(signer)
    assert key.kid == signer.public.kid


def test_somebody_elses_key_is_refused() -> None:
    """Asking for a key one does not hold fails: the signature is by another key."""
    thief = SeededSigner("thief")
    with pytest.raises(EvidenceError) as caught:
        open_enrolment(sign_enrolment(request(SIGNER), thief))
    assert caught.value.code == Code.WRONG_ALGORITHM


def test_every_flipped_byte_is_refused() -> None:
    """No byte of the request can change."""
    body = sign_enrolment(request(), SIGNER)
    for at in range(0, len(body), 7):
        changed = bytearray(body)
        changed[at] ^= 1
        with pytest.raises(EvidenceError):
            open_enrolment(bytes(changed))


def test_request_is_bounded() -> None:
    """A request of a megabyte is refused before it is parsed."""
    with pytest.raises(EvidenceError) as caught:
        open_enrolment(b"a" * 1_000_000)
    assert caught.value.code == Code.OVERSIZE
