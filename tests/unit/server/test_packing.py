"""Packed payloads come back as the exact bytes that were received."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from chipledger_evidence.codec import b64url_decode, encode_canonical
from chipledger_server.domain.packing import (
    Base,
    Form,
    cut_inventory,
    cut_known,
    inventory_of,
    pack,
    pack_body,
    unpack,
    unpack_body,
)
from chipledger_testing.hosts import NO_NONCE, SimulatedHost, simulated

LOG = {"origin": 'a","prev":"b', "root": "A" * 43, "size": 7}
WITHOUT = {"no_evidence": [{"code": "cc-off", "source": "nvml", "detail": '","prev":"'}]}


def host() -> SimulatedHost:
    """Return a host with an id."""
    one = simulated("pack")
    one.host, one.site = "h-" + "a" * 26, "ams-1"
    return one


@given(st.binary(max_size=2000), st.binary(max_size=500))
def test_any_text_comes_back(text: bytes, base: bytes) -> None:
    """With the fixed words and against any base."""
    assert unpack(pack(text, None), Form.WORDS) == text
    against = Base(pos=1, text=base, inv="", bootseed="")
    assert unpack(pack(text, against), Form.BASED, base_text=base) == text


def test_a_full_report_comes_back_with_its_inventory() -> None:
    """The inventory is cut out by its digest and put back where it was."""
    one = host()
    for following, changes in (("prev", {}), ("log", {"log": LOG}), ("no_evidence", WITHOUT)):
        payload = one.full(NO_NONCE, **changes).payload
        digest = b64url_decode(one.inv)
        text, body = cut_inventory(payload, digest, following=following)
        assert body == encode_canonical(one.inventory)
        assert hashlib.sha256(body).digest() == digest == inventory_of(text)
        assert cut_known(payload, len(body)) == text
        back = unpack(pack(text, None), Form.WORDS | Form.CUT, inventory=body)
        assert back == payload


def test_a_heartbeat_against_an_earlier_one_takes_a_third_of_the_room() -> None:
    """This is what keeps a host-year within its budget."""
    one = host()
    first = one.heartbeat(NO_NONCE).payload
    second = one.heartbeat(NO_NONCE).payload
    base = Base(pos=1, text=first, inv=one.inv, bootseed="")
    assert len(pack(second, base)) * 3 < len(second)


@given(st.binary(max_size=5000))
def test_a_body_comes_back(body: bytes) -> None:
    """Inventories and evidence blobs alike."""
    assert unpack_body(pack_body(body)) == body
