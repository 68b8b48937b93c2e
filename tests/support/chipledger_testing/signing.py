"""Signed statements and events for tests, and the vectors of their format."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from chipledger_book.events import Event, event_id
from chipledger_book.signing import STATEMENT_TYP, Said, SigningRole, sign_event, write_event_file
from chipledger_evidence.codec import b64url_decode, b64url_encode, encode_canonical
from chipledger_evidence.compact import Header, sign_statement
from chipledger_evidence.keys import Signer
from chipledger_testing.book import ms, received
from chipledger_testing.keys import SeededSigner, high_s_twin

AT: Final = ms(2026, 3, 2)
OPERATOR: Final = SeededSigner("an operator's key", alg="Ed25519")
VENDOR: Final = SeededSigner("a vendor's key")
EVENT: Final = received(8, shipment="DN-1")


def said(
    event: Event = EVENT,
    *,
    role: SigningRole = "operator",
    party: str = "acme",
    at_ms: int = AT,
) -> Said:
    """Return what a party says of an event."""
    return Said(event=event_id(event), party=party, role=role, stated_at_ms=at_ms)


def signed_file(
    event: Event,
    signer: Signer,
    *,
    role: SigningRole = "operator",
    party: str = "acme",
    at_ms: int = AT,
) -> bytes:
    """Return an event signed by one party."""
    what = said(event, role=role, party=party, at_ms=at_ms)
    return write_event_file(event, [sign_event(what, signer)])


def statement_vectors() -> list[dict[str, Any]]:
    """Return statements, good and bad, with the verdict of who holds the key."""
    rows = [
        _row("a statement, ES256", sign_event(said(), VENDOR), VENDOR),
        _row("a statement, Ed25519", sign_event(said(), OPERATOR), OPERATOR),
        _row("another's key", sign_event(said(), OPERATOR), VENDOR, "wrong-algorithm"),
    ]
    rows += [_row(text, bad, VENDOR, code) for text, bad, code in _bad(sign_event(said(), VENDOR))]
    rows += [
        _row(text, bad, OPERATOR, code)
        for text, bad, code in _bad_payloads(encode_canonical(said()))
    ]
    return rows


def event_file_vectors() -> list[dict[str, Any]]:
    """Return signed events, good and bad, with the codes of what is wrong with each."""
    one, two = sign_event(said(), OPERATOR), sign_event(said(role="vendor", party="nv"), VENDOR)
    other = sign_event(said(received(9)), OPERATOR)
    twice = sign_event(said(role="consignee"), VENDOR)
    good = write_event_file(EVENT, [one])
    cases: list[tuple[str, bytes, list[str]]] = [
        ("an event that one party signed", good, []),
        ("an event that two parties signed", write_event_file(EVENT, [one, two]), []),
        ("nobody signed", good.replace(one.encode(), b"").replace(b'[""]', b"[]"), _BAD),
        ("half signed: no signature", good.replace(one.encode(), _unsigned(one)), _BAD),
        ("another event's statement", write_event_file(EVENT, [other]), [_OTHER]),
        ("a party in two roles", write_event_file(EVENT, [one, twice]), [_CONTRADICTS]),
        ("both", write_event_file(EVENT, [one, twice, other]), _BOTH),
        ("a changed quantity", good.replace(b'"pieces":8', b'"pieces":9'), [_OTHER]),
        ("white space", good.replace(b'"event":', b'"event": '), _BAD),
        ("a line feed at the end", good + b"\n", _BAD),
        ("an unknown member", good[:-1] + b',"zz":1}', _BAD),
        ("another version", good[:-1] + b',"v":2}', _BAD),
    ]
    return [
        {"description": text, "file": data.decode("ascii"), "problems": codes}
        for text, data, codes in cases
    ]


_BAD: Final = ["malformed-statement"]
_OTHER: Final = "statement-of-another-event"
_CONTRADICTS: Final = "statement-contradicts"
_BOTH: Final = [_CONTRADICTS, _OTHER, _CONTRADICTS, _CONTRADICTS]


def _unsigned(text: str) -> bytes:
    return f"{text.rpartition('.')[0]}.".encode("ascii")


def _bad(good: str) -> Iterator[tuple[str, str, str]]:
    head, payload, signature = good.split(".")
    raw = b64url_decode(signature)
    flipped = bytes([raw[0] ^ 1, *raw[1:]])
    malformed = "malformed-statement"
    yield (
        "a flipped bit in the signature",
        f"{head}.{payload}.{b64url_encode(flipped)}",
        "bad-signature",
    )
    twin = b64url_encode(high_s_twin(raw))
    yield "the high-S twin", f"{head}.{payload}.{twin}", "high-s-signature"
    yield "no signature", f"{head}.{payload}.", "bad-signature"
    yield "two parts", f"{head}.{payload}", malformed
    yield "padding", f"{good}=", malformed
    yield "white space at the end", f"{good}\n", malformed
    for text, change in _HEADERS.items():
        header = encode_canonical(Header(alg="ES256", kid=VENDOR.public.kid, typ=STATEMENT_TYP))
        changed = b64url_encode(change(header))
        yield text, f"{changed}.{payload}.{signature}", malformed
    spelled = sign_statement(said(), VENDOR, typ="chipledger-key+jwt").decode()
    yield "signed for another purpose", spelled, malformed


_HEADERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "alg none": lambda header: header.replace(b"ES256", b"none"),
    "an unknown algorithm": lambda header: header.replace(b"ES256", b"RS256"),
    "a header with crit": lambda header: header.replace(b',"kid"', b',"crit":["x"],"kid"'),
    "a header with its key": lambda header: header.replace(b',"kid"', b',"jwk":{},"kid"'),
}


def _bad_payloads(payload: bytes) -> Iterator[tuple[str, str, str]]:
    changes = {
        "the collector as party": (b'"role":"operator"', b'"role":"collector"'),
        "an unknown role": (b'"role":"operator"', b'"role":"king"'),
        "no party": (b'"party":"acme",', b""),
        "an unknown member": (b"}", b',"zz":1}'),
        "another version": (b"}", b',"v":2}'),
        "its own version spelled out": (b"}", b',"v":1}'),
        "a fraction of a millisecond": (b"}", b".5}"),
        "an event id that is too short": (event_id(EVENT).encode(), event_id(EVENT)[:-1].encode()),
        "white space": (b'"party":', b'"party": '),
        "a member twice": (b'"party"', b'"party":"nv","party"'),
    }
    header = encode_canonical(Header(alg="Ed25519", kid=OPERATOR.public.kid, typ=STATEMENT_TYP))
    for text, (old, new) in changes.items():
        signing = f"{b64url_encode(header)}.{b64url_encode(payload.replace(old, new))}"
        signature = b64url_encode(OPERATOR.sign(signing.encode("ascii")))
        yield text, f"{signing}.{signature}", "malformed-statement"


def _row(text: str, statement: str, key: SeededSigner, verdict: str = "ok") -> dict[str, Any]:
    return {
        "description": text,
        "jwk": json.loads(encode_canonical(key.public.jwk)),
        "statement": statement,
        "verdict": verdict,
    }


__all__ = [
    "AT",
    "EVENT",
    "OPERATOR",
    "VENDOR",
    "event_file_vectors",
    "said",
    "signed_file",
    "statement_vectors",
]
