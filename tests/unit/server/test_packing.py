"""Packed payloads come back as the exact bytes that were received."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipledger_evidence.codec import b64url_decode, encode_canonical
from chipledger_server.domain.packing import (
    Base,
    Form,
    cut_inventory,
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
    """The inventory is cut out, whatever follows it, and put back where it was."""
    one = host()
    for changes in ({}, {"log": LOG}, WITHOUT):
        payload = one.full(NO_NONCE, **changes).payload
        body = encode_canonical(one.inventory)
        text = cut_inventory(payload, body)
        assert len(text) == len(payload) - len(body)
        assert inventory_of(text) == b64url_decode(one.inv)
        back = unpack(pack(text, None), Form.WORDS | Form.CUT, inventory=body)
        assert back == payload


def test_only_the_inventory_of_that_report_is_cut_out() -> None:
    """Nothing is cut out of a payload that carries other bytes."""
    one = host()
    with pytest.raises(ValueError, match="inventory"):
        cut_inventory(one.full(NO_NONCE).payload, b"{}")


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
