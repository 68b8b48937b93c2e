"""Laws of the evidence package, over random input."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipledger_evidence import merkle
from chipledger_evidence.claims import SealedReport
from chipledger_evidence.codec import b64url_decode, b64url_encode, decode_strict, encode_canonical
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.framing import decode_body, encode_body
from chipledger_evidence.inventory import Chip, Inventory, Provider, Status, Unread
from chipledger_evidence.nonce import Kind, judge, mint
from chipledger_evidence.token import Token, parse_compact, sign_token
from chipledger_evidence.verify import HostTrust, verify_token
from chipledger_testing.claims import HOST, SITE, full_report, heartbeat
from chipledger_testing.keys import SeededSigner

SIGNERS = {alg: SeededSigner("law", alg=alg) for alg in ("ES256", "Ed25519")}
TRUST: dict[str, HostTrust] = {
    signer.public.kid: HostTrust(host=HOST, site=SITE, key=signer.public)
    for signer in SIGNERS.values()
}
TOKENS = {alg: sign_token(heartbeat(), signer) for alg, signer in SIGNERS.items()}

unread = st.builds(Unread, nvml=st.none() | st.integers(1, 65535), raw=st.none() | st.just("00ff"))
chips = st.builds(
    Chip,
    index=st.integers(0, 63),
    uuid=st.none() | st.text(max_size=40),
    name=st.none() | st.text(max_size=80),
    memory_bytes=st.none() | st.integers(0, 2**53 - 1),
    unread=st.dictionaries(st.sampled_from(["uuid", "pdi", "name"]), unread),
)
inventories = st.builds(
    Inventory,
    status=st.sampled_from(Status),
    provider=st.builds(Provider, kind=st.just("nvml"), preload=st.booleans()),
    chips=st.lists(chips, max_size=4).map(tuple),
)


@given(inventories)
def test_inventory_round_trip(inventory: Inventory) -> None:
    """What is encoded decodes to itself, and to nothing else."""
    assert decode_strict(encode_canonical(inventory), Inventory) == inventory


@given(st.binary(max_size=100))
def test_base64url_round_trip(data: bytes) -> None:
    """Every byte string has one text, and the text gives it back."""
    assert b64url_decode(b64url_encode(data)) == data


@given(st.text(alphabet="ABab01-_+/=\n ", max_size=12))
def test_base64url_has_one_spelling(text: str) -> None:
    """A text is refused unless it is the encoding of what it decodes to."""
    try:
        data = b64url_decode(text)
    except EvidenceError:
        return
    assert b64url_encode(data) == text


@given(st.sampled_from(sorted(SIGNERS)), st.data())
def test_any_flipped_bit_of_a_token_is_refused(alg: str, data: st.DataObject) -> None:
    """No bit of header, payload or signature can change and still pass the pipeline."""
    token = TOKENS[alg]
    body = bytearray(token.header + token.payload + token.signature)
    bit = data.draw(st.integers(0, len(body) * 8 - 1))
    body[bit // 8] ^= 1 << bit % 8
    header, payload = len(token.header), len(token.payload)
    changed = Token(
        header=bytes(body[:header]),
        payload=bytes(body[header : header + payload]),
        signature=bytes(body[header + payload :]),
    )
    with pytest.raises(EvidenceError):
        verify_token(changed, TRUST.get)


@given(st.sampled_from(sorted(SIGNERS)), st.data())
def test_any_flipped_bit_of_a_body_is_refused(alg: str, data: st.DataObject) -> None:
    """In transit too: framing or pipeline refuses what is not byte for byte what was sent."""
    body = bytearray(encode_body([TOKENS[alg]]))
    bit = data.draw(st.integers(0, len(body) * 8 - 1))
    body[bit // 8] ^= 1 << bit % 8
    with pytest.raises(EvidenceError):
        verify_token(decode_body(bytes(body)).tokens[0], TRUST.get)


@given(inventories, st.sampled_from(sorted(SIGNERS)))
def test_signed_report_verifies_in_both_forms(inventory: Inventory, alg: str) -> None:
    """A token means the same as compact text and framed, and has the same identity."""
    token = sign_token(full_report(inventory=inventory), SIGNERS[alg])
    framed = decode_body(gzip.decompress(gzip.compress(encode_body([token])))).tokens[0]
    text = parse_compact(token.compact())
    first, second = verify_token(framed, TRUST.get), verify_token(text, TRUST.get)
    assert first.claims == second.claims
    assert first.identity == second.identity == token.identity


@given(inventories)
def test_known_inventory_stays_sealed_and_says_the_same(inventory: Inventory) -> None:
    """A report whose digest is known is verified like any other, only not decoded again."""
    token = sign_token(full_report(inventory=inventory), SIGNERS["ES256"])
    opened = verify_token(token, TRUST.get).claims
    sealed = verify_token(token, TRUST.get, known=lambda _: inventory.provider.kind).claims
    assert isinstance(sealed, SealedReport)
    assert bytes(sealed.inventory) == encode_canonical(inventory)
    assert sealed.open(inventory) == opened


def test_known_digest_does_not_let_other_bytes_pass() -> None:
    """Saying that every digest is known changes no verdict on digest or provider."""
    lie = full_report(inv=heartbeat().prev)
    mock = full_report(inventory=Inventory(status=Status.OK, provider=Provider(kind="mock")))
    providers = {lie.inv: "nvml", mock.inv: "mock"}
    for claims in (lie, mock):
        with pytest.raises(EvidenceError):
            verify_token(sign_token(claims, SIGNERS["ES256"]), TRUST.get, known=providers.get)


@given(st.binary(max_size=400))
def test_junk_is_refused_with_a_code(junk: bytes) -> None:
    """No input makes the framing raise anything but its own error."""
    for body in (junk, b"CLR1" + junk):
        try:
            records = decode_body(body)
        except EvidenceError:
            continue
        assert encode_body(records.tokens, records.blobs) == body


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=70), st.data())
def test_merkle_proofs(entries: list[bytes], data: st.DataObject) -> None:
    """Every leaf is provable, every prefix is consistent, and no other leaf or head passes."""
    leaves = [merkle.leaf_hash(bytes([i]) + entry) for i, entry in enumerate(entries)]
    size, root = len(leaves), merkle.root_hash(leaves)
    index = data.draw(st.integers(0, size - 1))
    first = data.draw(st.integers(1, size))
    proof = merkle.inclusion_proof(leaves, index)
    merkle.verify_inclusion(leaves[index], index=index, size=size, proof=proof, root=root)
    other = merkle.leaf_hash(b"another")
    with pytest.raises(EvidenceError):
        merkle.verify_inclusion(other, index=index, size=size, proof=proof, root=root)
    path = merkle.consistency_proof(leaves, first)
    old = merkle.root_hash(leaves[:first])
    merkle.verify_consistency(
        first=first, first_root=old, second=size, second_root=root, proof=path
    )
    with pytest.raises(EvidenceError):
        merkle.verify_consistency(
            first=first, first_root=old[::-1], second=size, second_root=root, proof=path
        )


@given(st.binary(min_size=10, max_size=10), st.integers(0, 255))
def test_nonce_belongs_to_one_host_and_one_key(random: bytes, bit: int) -> None:
    """A nonce with any flipped bit, of another host, or under another key is foreign."""
    key = b"k" * 32
    nonce = mint(key, kind=Kind.CHALLENGE, host=HOST, time_s=1000, random=random)
    judge(nonce, keys=[b"o" * 32, key], host=HOST, now_s=1000, epoch_window_s=0)
    flipped = bytearray(nonce)
    flipped[bit // 8] ^= 1 << bit % 8
    for bad, keys, host in (
        (bytes(flipped), [key], HOST),
        (nonce, [b"o" * 32], HOST),
        (nonce, [key], "h-" + "b" * 26),
    ):
        with pytest.raises(EvidenceError):
            judge(bad, keys=keys, host=host, now_s=1000, epoch_window_s=0)
