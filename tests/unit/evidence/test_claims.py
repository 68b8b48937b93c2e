"""Two profile versions: the previous one is read in the terms of the present one."""

import msgspec
import pytest

from chipledger_evidence.claims import AnyVersion, FullReport, Heartbeat, TpmQuote, present
from chipledger_evidence.codec import decode_strict, encode_canonical
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_testing.claims import QUOTE, WITHOUT, former, full_report, heartbeat


@pytest.mark.parametrize("claims", [full_report(), heartbeat()], ids=["full", "heartbeat"])
def test_the_previous_version_says_the_same(claims: FullReport | Heartbeat) -> None:
    """What version 1 could say reads as if version 2 had said it; version 2 reads as itself."""
    before: AnyVersion = decode_strict(encode_canonical(former(claims)), AnyVersion)  # type: ignore[arg-type] # a union is fine
    assert present(before) == claims
    assert present(claims) is claims


@pytest.mark.parametrize("change", [{"no_evidence": (WITHOUT,)}, {"tpm": QUOTE}])
def test_the_previous_version_cannot_say_what_is_new(change: dict[str, object]) -> None:
    """A profile is full: a claim of version 2 inside version 1 is unknown, and refused."""
    payload = encode_canonical(heartbeat(**change))
    older = payload.replace(b"heartbeat#2", b"heartbeat#1")
    with pytest.raises(EvidenceError) as refused:
        decode_strict(older, AnyVersion)  # type: ignore[arg-type] # a union is fine
    assert refused.value.code is Code.MALFORMED_JSON


def test_a_quote_names_registers_and_nothing_else() -> None:
    """Register numbers are 0 to 23, as a TPM has them."""
    value = QUOTE.pcrs["0"]
    last = msgspec.structs.replace(QUOTE, pcrs={"23": value})
    assert decode_strict(encode_canonical(last), TpmQuote) == last
    for number in ("24", "07", "-1", "x"):
        payload = encode_canonical(msgspec.structs.replace(QUOTE, pcrs={number: value}))
        with pytest.raises(EvidenceError):
            decode_strict(payload, TpmQuote)
