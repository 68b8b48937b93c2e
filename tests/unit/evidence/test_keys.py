"""Keys that prove nothing are no keys."""

import pytest

from chipledger_evidence.codec import b64url_encode
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.keys import Jwk, load_jwk

P = 2**255 - 19
ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
SMALL_ORDER = (0, 1, P - 1, ORDER_8, P - ORDER_8)


def jwk(number: int) -> Jwk:
    """Return an Ed25519 key with these 32 bytes, little-endian."""
    return Jwk(crv="Ed25519", kty="OKP", x=b64url_encode(number.to_bytes(32, "little")))


@pytest.mark.parametrize("sign", [0, 1 << 255], ids=["plus", "minus"])
@pytest.mark.parametrize("y", SMALL_ORDER)
def test_a_point_of_small_order_is_no_key(y: int, sign: int) -> None:
    """Anybody can sign for it: a host that enrolled it could disown everything."""
    with pytest.raises(EvidenceError) as refused:
        load_jwk(jwk(y | sign))

    assert refused.value.code is Code.MALFORMED_KEY


def test_a_second_spelling_of_a_point_is_no_key() -> None:
    """One point has one y below p: one key would have two thumbprints."""
    with pytest.raises(EvidenceError) as refused:
        load_jwk(jwk(P + 3))

    assert refused.value.code is Code.MALFORMED_KEY
    assert load_jwk(jwk(3)).alg == "Ed25519"
