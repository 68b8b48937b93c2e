"""Stored tokens, back as the exact bytes that were received."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from chipledger_evidence.claims import AnyVersion, present
from chipledger_evidence.codec import b64url_encode, encode_canonical
from chipledger_evidence.keys import Jwk
from chipledger_evidence.nonce import Freshness
from chipledger_evidence.token import Header, Token
from chipledger_server.adapters.rows import Execute
from chipledger_server.domain.hosts import LoggedToken
from chipledger_server.domain.packing import Form, inventory_of, unpack, unpack_body

_LOGGED: Final = """
    SELECT pos, host, id, freshness, received_ms, form, base, payload
    FROM tokens WHERE pos >= ? ORDER BY pos LIMIT ?
"""


def logged_tokens(execute: Execute, first: int, most: int) -> list[LoggedToken]:
    """Return tokens in log order from position `first` on."""
    rows = execute(_LOGGED, (first, most)).fetchall()
    return [_logged(execute, row) for row in rows]


def _logged(execute: Execute, row: Sequence[Any]) -> LoggedToken:
    pos, host, identity, freshness, received_ms, form, base, payload = row
    said: AnyVersion = msgspec.json.decode(
        _payload(execute, Form(form), base, payload),
        type=AnyVersion,
    )
    return LoggedToken(
        pos=pos,
        host=host,
        token=b64url_encode(identity),
        identity=identity,
        claims=present(said),
        freshness=Freshness(freshness),
        received_ms=received_ms,
    )


def token_at(execute: Execute, pos: int) -> Token | None:
    """Return the token at a position, with the header, payload and signature as received."""
    row = execute(
        "SELECT t.form, t.base, t.payload, t.signature, k.kid, k.jwk FROM tokens t"
        " JOIN host_keys k ON k.num = t.key WHERE t.pos = ?",
        (pos,),
    ).fetchone()
    if row is None:
        return None
    form, base, payload, signature, kid, jwk = row
    key = msgspec.json.decode(jwk, type=Jwk)
    # A header has exactly these members in exactly this form, so it is not stored.
    header = Header(alg="Ed25519" if key.crv == "Ed25519" else "ES256", kid=kid, typ="eat+jwt")
    return Token(
        header=encode_canonical(header),
        payload=_payload(execute, Form(form), base, payload),
        signature=signature,
    )


def unpack_prevs(execute: Execute, positions: Iterable[int]) -> Iterator[str]:
    """Yield what the tokens at `positions` name as the one before."""
    for pos in positions:
        yield from (token.claims.prev for token in logged_tokens(execute, pos, 1))


def _payload(execute: Execute, form: Form, base: int | None, packed: bytes) -> bytes:
    if Form.BASED in form:
        base_form, base_packed = execute(
            "SELECT form, payload FROM tokens WHERE pos = ?", (base,)
        ).fetchone()
        return unpack(packed, form, base_text=unpack(base_packed, Form(base_form)))
    text = unpack(packed, form)
    if Form.CUT not in form:
        return text
    (body,) = execute(
        "SELECT body FROM inventories WHERE digest = ?", (inventory_of(text),)
    ).fetchone()
    return unpack(packed, form, inventory=unpack_body(body))
