"""Laws of what parties sign: nothing of it can be changed, and nothing else reads as it."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chipledger_book.errors import BookError
from chipledger_book.signing import (
    read_event_file,
    read_party_statement,
    sign_event,
    write_event_file,
)
from chipledger_evidence.errors import EvidenceError
from chipledger_testing.keys import SeededSigner
from chipledger_testing.signing import EVENT, OPERATOR, VENDOR, said

SIGNERS: Final = {"Ed25519": OPERATOR, "ES256": VENDOR}
STATEMENTS: Final = {name: sign_event(said(), signer) for name, signer in SIGNERS.items()}
FILES: Final = {name: write_event_file(EVENT, [text]) for name, text in STATEMENTS.items()}

positions = st.integers(min_value=0, max_value=10_000)
masks = st.integers(min_value=1, max_value=255)


def flipped(data: bytes, position: int, mask: int) -> bytes:
    """Return bytes of which one was changed."""
    changed = bytearray(data)
    changed[position % len(data)] ^= mask
    return bytes(changed)


def stands(data: bytes, key: SeededSigner) -> bool:
    """Tell whether a signed event is read and its signature holds."""
    try:
        for statement in read_event_file(data).statements:
            statement.by(key.public)
    except (BookError, EvidenceError):
        return False
    return True


@pytest.mark.parametrize("alg", SIGNERS)
@given(positions, masks)
def test_any_flipped_byte_of_a_signed_event_is_refused(alg: str, position: int, mask: int) -> None:
    """Event, statement and frame: no byte is free."""
    assert stands(FILES[alg], SIGNERS[alg])
    assert not stands(flipped(FILES[alg], position, mask), SIGNERS[alg])


@pytest.mark.parametrize("alg", SIGNERS)
@given(positions, masks)
def test_any_flipped_byte_of_a_statement_is_refused(alg: str, position: int, mask: int) -> None:
    """Header, payload and signature: no byte is free."""
    changed = flipped(STATEMENTS[alg].encode(), position, mask)
    with pytest.raises((BookError, EvidenceError)):
        read_party_statement(changed).by(SIGNERS[alg].public)


@given(st.binary(max_size=300))
def test_anything_is_read_or_refused(data: bytes) -> None:
    """Hostile bytes end in the one error of the package, never in another one."""
    for read in (read_event_file, read_party_statement):
        with pytest.raises(BookError):
            read(data)


@given(st.sampled_from(sorted(SIGNERS)), st.sampled_from(("operator", "vendor", "auditor")))
def test_what_is_signed_is_what_stands(alg: str, role: str) -> None:
    """The statement in the ledger says what was signed, by the thumbprint of who signed it."""
    signer = SIGNERS[alg]
    what = said(role=role, party="acme")  # type: ignore[arg-type]
    text = sign_event(what, signer)
    statement = read_party_statement(text.encode()).by(signer.public)
    assert (statement.role, statement.party, statement.strength) == (role, "acme", "party-key")
    assert (statement.principal, statement.stated_at_ms) == (signer.public.kid, what.stated_at_ms)
    assert statement.signed == text
