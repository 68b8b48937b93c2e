"""Generates tests/vectors/*.json: `python -m chipledger_testing.vectors DIRECTORY` rewrites them.

Every vector says what it is, how it was made and what a verifier must answer. Keys come from
fixed seeds and ECDSA is deterministic, so a regeneration gives the same bytes.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from chipledger_evidence import merkle
from chipledger_evidence.claims import AnyVersion
from chipledger_evidence.codec import b64url_encode, encode_canonical
from chipledger_evidence.entry import EntryType, entry_hash, make_entry
from chipledger_evidence.framing import encode_body
from chipledger_evidence.ids import sha256_b64
from chipledger_evidence.keys import Signer
from chipledger_evidence.nonce import Kind, mint
from chipledger_evidence.token import Token, sign_token
from chipledger_testing.claims import (
    HOST,
    QUOTE,
    SITE,
    WITHOUT,
    former,
    full_report,
    heartbeat,
    inventory,
)
from chipledger_testing.ear_vectors import ear_vectors
from chipledger_testing.keys import SeededSigner, high_s_twin
from chipledger_testing.sampling import sampling_vectors
from chipledger_testing.signing import event_file_vectors, statement_vectors

PROVENANCE = "made by chipledger_testing.vectors from fixed seeds"
NONCE_KEY = bytes(range(32, 64))
Row = dict[str, Any]


def token_vectors() -> list[Row]:
    """Return tokens, good and bad, with the verdict of the pipeline for (HOST, SITE)."""
    es256, ed25519 = SeededSigner("es256"), SeededSigner("ed25519", alg="Ed25519")
    rows = [
        _row("full report, ES256", sign_token(full_report(), es256), es256),
        _row("full report, Ed25519", sign_token(full_report(), ed25519), ed25519),
        _row("heartbeat, ES256", sign_token(heartbeat(), es256), es256),
        _row("heartbeat, Ed25519", sign_token(heartbeat(), ed25519), ed25519),
        _row(
            "a resumed chain, refused reports and skipped scans",
            sign_token(heartbeat(resumed=True, skipped=3), es256),
            es256,
        ),
    ]
    rows += [
        _row(text, sign_token(claims, es256), es256) for text, claims in _versions_and_evidence()
    ]
    rows += [_row(text, token, es256, code) for text, token, code in _bad_tokens(es256)]
    stranger = SeededSigner("nobody enrolled this one")
    rows.append(_row("unknown key", sign_token(heartbeat(), stranger), es256, "unknown-key"))
    return rows


def _versions_and_evidence() -> Iterator[tuple[str, AnyVersion]]:
    yield "full report of the previous profile", former(full_report())
    yield "heartbeat of the previous profile", former(heartbeat())
    yield "no device signature, and why", heartbeat(no_evidence=(WITHOUT,))
    yield "a TPM's quote beside the claims", heartbeat(tpm=QUOTE)


def _bad_tokens(signer: SeededSigner) -> Iterator[tuple[str, Token, str]]:
    good = sign_token(heartbeat(), signer)
    flipped = bytearray(good.signature)
    flipped[5] ^= 1
    yield "a flipped bit in the signature", _with(good, signature=bytes(flipped)), "bad-signature"
    yield (
        "the high-S twin of a good signature",
        _with(good, signature=high_s_twin(good.signature)),
        "high-s-signature",
    )
    payload = good.payload.replace(b'"seq":2', b'"seq":3')
    yield "a changed payload", _with(good, payload=payload), "bad-signature"
    yield from _bad_payloads(signer, good.payload)
    yield from _bad_headers(signer, good)
    yield "another host", sign_token(heartbeat(host="h-" + "b" * 26), signer), "wrong-host"
    yield "another site", sign_token(heartbeat(site="elsewhere"), signer), "wrong-site"
    mock = full_report(inventory=inventory(provider="mock"))
    yield "a provider that is not NVML", sign_token(mock, signer), "provider-not-accepted"
    lie = full_report(inv=sha256_b64(b"another inventory"))
    yield "inv names another inventory", sign_token(lie, signer), "inventory-digest-mismatch"


def _bad_payloads(signer: Signer, payload: bytes) -> Iterator[tuple[str, Token, str]]:
    changes: list[tuple[str, Callable[[bytes], bytes], str]] = [
        ("a duplicate member", lambda p: p[:-1] + b',"uptime":3600}', "not-canonical"),
        ("white space", lambda p: p.replace(b":", b": ", 1), "not-canonical"),
        ("members out of order", _swap_last_members, "not-canonical"),
        ("a float", lambda p: p.replace(b'"uptime":3600', b'"uptime":3600.5'), "malformed-json"),
        ("a float without fraction", lambda p: _number(p, b"3600.0"), "malformed-json"),
        ("an exponent", lambda p: _number(p, b"36e2"), "malformed-json"),
        ("an unknown claim", lambda p: p[:-1] + b',"zz":1}', "malformed-json"),
        (
            "a claim of version 2 in the previous profile",
            lambda p: p.replace(b"heartbeat#2", b"heartbeat#1").replace(
                b'"prev"', b'"no_evidence":[{"code":"cc-off","source":"nvml"}],"prev"'
            ),
            "malformed-json",
        ),
        ("an escaped letter", lambda p: p.replace(b"kul-1", b"\\u006bul-1"), "not-canonical"),
        (
            "a present default",
            lambda p: p.replace(b'"uptime"', b'"skipped":0,"uptime"'),
            "not-canonical",
        ),
        ("deep nesting", lambda _: b'{"counters":' + b"[" * 60000, "malformed-json"),
        (
            "an unknown profile",
            lambda p: p.replace(b"heartbeat#2", b"heartbeat#9"),
            "malformed-json",
        ),
        ("not UTF-8", lambda p: p.replace(b"kul-1", b"kul-\xb5"), "malformed-json"),
        ("not JSON", lambda _: b"\xff\xfe", "malformed-json"),
    ]
    for text, change, code in changes:
        yield text, _sign_raw(signer, None, change(payload)), code


def _number(payload: bytes, number: bytes) -> bytes:
    return payload.replace(b'"uptime":3600', b'"uptime":' + number)


def _swap_last_members(payload: bytes) -> bytes:
    members = msgspec.json.decode(payload)
    return json.dumps(dict(reversed(members.items())), separators=(",", ":")).encode()


def _bad_headers(signer: Signer, good: Token) -> Iterator[tuple[str, Token, str]]:
    kid = signer.public.kid
    headers = [
        ("a crit header", {"alg": "ES256", "crit": ["b64"], "kid": kid, "typ": "eat+jwt"}),
        ("alg none", {"alg": "none", "kid": kid, "typ": "eat+jwt"}),
        ("alg HS256", {"alg": "HS256", "kid": kid, "typ": "eat+jwt"}),
        ("an embedded key", {"alg": "ES256", "jwk": {}, "kid": kid, "typ": "eat+jwt"}),
        ("another typ", {"alg": "ES256", "kid": kid, "typ": "JWT"}),
    ]
    for text, header in headers:
        yield text, _sign_raw(signer, _json(header), good.payload), "malformed-token"
    other = _json({"alg": "Ed25519", "kid": kid, "typ": "eat+jwt"})
    yield "the key's other algorithm", _sign_raw(signer, other, good.payload), "wrong-algorithm"


def _sign_raw(signer: Signer, header: bytes | None, payload: bytes) -> Token:
    """Sign bytes that no honest signer would make."""
    if header is None:
        header = _json({"alg": signer.public.alg, "kid": signer.public.kid, "typ": "eat+jwt"})
    unsigned = Token(header=header, payload=payload, signature=bytes(64))
    return _with(unsigned, signature=signer.sign(unsigned.signing_input))


def _with(token: Token, *, payload: bytes | None = None, signature: bytes | None = None) -> Token:
    return Token(
        header=token.header,
        payload=token.payload if payload is None else payload,
        signature=token.signature if signature is None else signature,
    )


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _row(text: str, token: Token, signer: SeededSigner, verdict: str = "ok") -> Row:
    return {
        "description": text,
        "host": HOST,
        "identity": token.identity,
        "jwk": json.loads(encode_canonical(signer.public.jwk)),
        "site": SITE,
        "token": token.compact(),
        "verdict": verdict,
    }


def framing_vectors() -> list[Row]:
    """Return bodies, good and bad, as hex."""
    token = sign_token(heartbeat(), SeededSigner("es256"))
    body = encode_body([token, token], [b"evidence bytes"])
    one = encode_body([token])
    return [
        {"description": "two tokens and a blob", "hex": body.hex(), "verdict": "ok"},
        {"description": "no token", "hex": b"CLR1".hex(), "verdict": "malformed-framing"},
        {
            "description": "another magic",
            "hex": (b"CLR2" + one[4:]).hex(),
            "verdict": "malformed-framing",
        },
        {"description": "cut short", "hex": one[:-1].hex(), "verdict": "malformed-framing"},
        {
            "description": "trailing bytes",
            "hex": (one + b"\0").hex(),
            "verdict": "malformed-framing",
        },
        {
            "description": "unknown record type",
            "hex": (one + bytes.fromhex("0900000000")).hex(),
            "verdict": "malformed-framing",
        },
        {
            "description": "an empty blob",
            "hex": (one + bytes.fromhex("0200000000")).hex(),
            "verdict": "oversize",
        },
        {
            "description": "a record of 4 GiB",
            "hex": (b"CLR1\x01\xff\xff\xff\xff").hex(),
            "verdict": "malformed-framing",
        },
    ]


def nonce_vectors() -> list[Row]:
    """Return nonces under a fixed key with what they prove at a fixed time."""
    rows = []
    for kind, time_s, now_s, proves in (
        (Kind.CHALLENGE, 1_790_000_120, 1_790_000_000, "challenged"),
        (Kind.CHALLENGE, 1_790_000_120, 1_790_000_121, "late"),
        (Kind.EPOCH, 1_790_000_000, 1_790_010_800, "epoch"),
        (Kind.EPOCH, 1_790_000_000, 1_790_010_801, "late"),
        (Kind.EVIDENCE, 1_790_000_600, 1_790_000_600, "challenged"),
    ):
        nonce = mint(NONCE_KEY, kind=kind, host=HOST, time_s=time_s, random=b"0123456789")
        rows.append(
            {
                "description": f"{kind.name.lower()} judged at {now_s}",
                "epoch_window_s": 10_800,
                "host": HOST,
                "key": NONCE_KEY.hex(),
                "nonce": b64url_encode(nonce),
                "now_s": now_s,
                "proves": proves,
            }
        )
    return rows


def log_vectors() -> list[Row]:
    """Return log entries, and tree heads over the first of them with proofs for one leaf."""
    entries = [
        make_entry(EntryType.PULSE, bytes([i]), salt=bytes([i]) * 16, time_ms=1_790_000_000_000 + i)
        for i in range(9)
    ]
    leaves = [entry_hash(entry) for entry in entries]
    return [
        {
            "description": f"tree of {size}",
            "consistency_from_1": [h.hex() for h in merkle.consistency_proof(leaves[:size], 1)],
            "entry": entries[size - 1].decode(),
            "inclusion_of_0": [h.hex() for h in merkle.inclusion_proof(leaves[:size], 0)],
            "leaf": leaves[size - 1].hex(),
            "record": bytes([size - 1]).hex(),
            "root": merkle.root_hash(leaves[:size]).hex(),
            "salt": (bytes([size - 1]) * 16).hex(),
            "size": size,
        }
        for size in range(1, 10)
    ]


FILES: dict[str, Callable[[], list[Row]]] = {
    "tokens.json": token_vectors,
    "framing.json": framing_vectors,
    "nonces.json": nonce_vectors,
    "log.json": log_vectors,
    "ears.json": ear_vectors,
    "sampling.json": sampling_vectors,
    "statements.json": statement_vectors,
    "signed-events.json": event_file_vectors,
}


def render(rows: list[Row]) -> str:
    """Return the text of a vector file."""
    return json.dumps({"provenance": PROVENANCE, "vectors": rows}, indent=1, sort_keys=True) + "\n"


def main(directory: str) -> None:
    """Rewrite every vector file in `directory`."""
    for name, make in FILES.items():
        Path(directory, name).write_text(render(make()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
