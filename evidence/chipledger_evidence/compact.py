"""Compact JWS statements beside evidence tokens: what an agent asks of the collector, signed.

Each kind has a `typ` of its own, so that nothing signed for one purpose is taken for another.
"""

from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from chipledger_evidence.codec import (
    Wire,
    b64url_decode,
    b64url_encode,
    decode_strict,
    encode_canonical,
)
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.ids import Digest, whole
from chipledger_evidence.keys import Algorithm, PublicKey, Signer

MEDIA_TYPE = "application/jwt"
MAX_REQUEST_BYTES = 64 * 1024
_PARTS = 3

T = TypeVar("T", bound=Wire)


class Header(Wire, frozen=True, kw_only=True):
    """The whole JOSE header of a statement."""

    alg: Algorithm
    kid: Digest
    typ: Annotated[str, whole(r"chipledger-[a-z]{1,32}\+jwt")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement(Generic[T]):
    """A statement as received; what it says counts only after :meth:`by` has returned."""

    header: Header
    said: T
    signing_input: bytes
    signature: bytes

    def by(self, key: PublicKey) -> T:
        """Return what is said, only if `key` is the key it names and signed it.

        Raises:
            EvidenceError: `wrong-algorithm`, `bad-signature` or `high-s-signature`.
        """
        if key.kid != self.header.kid or key.alg != self.header.alg:
            raise EvidenceError(Code.WRONG_ALGORITHM, "kid or alg do not belong to the key inside")
        key.verify(self.signature, self.signing_input)
        return self.said


def sign_statement(said: Wire, signer: Signer, *, typ: str) -> bytes:
    """Return `said` as the compact JWS that is posted."""
    header = Header(alg=signer.public.alg, kid=signer.public.kid, typ=typ)
    text = f"{b64url_encode(encode_canonical(header))}.{b64url_encode(encode_canonical(said))}"
    signature = signer.sign(text.encode("ascii"))
    return f"{text}.{b64url_encode(signature)}".encode("ascii")


def read_statement(body: bytes, kind: type[T], *, typ: str) -> Statement[T]:
    """Return the statement in `body`; its signature is not checked yet.

    Raises:
        EvidenceError: `oversize`, `malformed-token` and the codes of the strict codec.
    """
    if len(body) > MAX_REQUEST_BYTES:
        raise EvidenceError(Code.OVERSIZE, f"{len(body)} bytes of request")
    parts = body.split(b".")
    if len(parts) != _PARTS:
        raise EvidenceError(Code.MALFORMED_TOKEN, "a request is a compact JWS of three parts")
    header_bytes, payload, signature = (b64url_decode(part) for part in parts)
    header = decode_strict(header_bytes, Header)
    if header.typ != typ:
        raise EvidenceError(Code.MALFORMED_TOKEN, f"typ is {header.typ}, this door takes {typ}")
    return Statement(
        header=header,
        said=decode_strict(payload, kind),
        signing_input=signing_input(body),
        signature=signature,
    )


def signing_input(body: bytes) -> bytes:
    """Return what the signature of a compact JWS is over; the whole of `body` if it has none."""
    return body.rpartition(b".")[0] or body


def typ_of(body: bytes) -> str:
    """Return the `typ` that a compact JWS names; nothing is checked yet.

    Raises:
        EvidenceError: its header is not of the format.
    """
    return decode_strict(b64url_decode(body.partition(b".")[0]), Header).typ
