"""How the exact bytes of a payload are kept for years in little room, and come back the same.

Two facts save most of it. A full report's inventory is kept once, under its digest, and cut out
of every payload that carries it. And consecutive tokens of a host are nearly equal, so a
heartbeat is deflated against the text of an earlier token of the same host, its *base*. A base
is never packed against another one: reading a token reads at most one more.
"""

import zlib
from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from chipledger_evidence.codec import b64url_decode

_NAMES: Final = b',"inv":"'
_DIGEST_CHARACTERS: Final = 43
_MEMBER: Final = b'"inventory":'
_LARGEST_WINDOW: Final = -15  # raw deflate; reads what any smaller window wrote
# zlib's default sizes make every call map and unmap 256 KiB, which costs ten times the work.
_WINDOW: Final = -13
_MEMORY: Final = 6
_LEVEL: Final = 6
_BODY_WINDOW: Final = 15
_BODY_MEMORY: Final = 7
_BODY_LEVEL: Final = 3
# Never changed: what is packed with it must come back for ever. A better one is a new form.
_WORDS: Final = (
    b'{"bootseed":"","conflict":[""],"counters":[[0,0,0,0,1],[0,0,0,0,1],[0,0,0,0,1]],"eat_nonce":"'
    b'","eat_profile":"tag:chipledger.org,2026:host-inventory#1","eat_profile":"tag:chipledger.org,'
    b'2026:host-heartbeat#1","evidence":[{"bytes":,"digest":"","kind":""}],"host":"h-","iat":179,'
    b'"inv":"","inventory":,"log":{"origin":"","root":"","size":},"prev":"","refused":[{"code":"",'
    b'"seq":,"token":""}],"resumed":true,"seq":1,"site":"","skipped":1,"swname":"chipledger-agent",'
    b'"swversion":"0.1.0","ueid":"AQ","uptime":1}'
)


class Form(IntFlag):
    """How a stored payload is packed; kept with the row."""

    WORDS = 1  # raw deflate with the fixed dictionary above
    BASED = 2  # raw deflate with the text of the base token as dictionary
    CUT = 4  # the inventory is cut out, and found under `inv`


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A token that later ones of its host may be packed against.

    Attributes:
        pos: its position.
        text: its payload without the inventory.
        inv: the inventory it names.
        bootseed: the boot it names.
    """

    pos: int
    text: bytes
    inv: str
    bootseed: str


def pack(text: bytes, base: Base | None) -> bytes:
    """Return `text` deflated, against `base` where there is one."""
    words = _WORDS if base is None else base.text
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, 0, words)
    return deflate.compress(text) + deflate.flush()


def unpack(
    packed: bytes, form: Form, *, base_text: bytes | None = None, inventory: bytes | None = None
) -> bytes:
    """Return the payload as it was received.

    Args:
        packed: what was stored.
        form: how it is packed.
        base_text: for `BASED`, the text of the base token (its payload, inventory cut out).
        inventory: for `CUT`, the canonical inventory; None leaves it cut out.
    """
    words = _WORDS if base_text is None else base_text
    if (Form.BASED in form) != (base_text is not None):
        raise ValueError("a base is given exactly for a payload packed against one")
    text = zlib.decompressobj(_LARGEST_WINDOW, words).decompress(packed)
    if Form.CUT not in form or inventory is None:
        return text
    at = text.index(_MEMBER) + len(_MEMBER)
    return text[:at] + inventory + text[at:]


def cut_inventory(payload: bytes, statement: bytes) -> bytes:
    """Return a full report's payload without its inventory.

    Args:
        payload: canonical, so quotes inside texts before the inventory are escaped.
        statement: the exact bytes of the inventory.
    """
    start = payload.index(_MEMBER) + len(_MEMBER)
    if not payload.startswith(statement, start):
        raise ValueError("the inventory was not where a canonical payload has it")
    return payload[:start] + payload[start + len(statement) :]


def inventory_of(text: bytes) -> bytes:
    """Return the digest of the inventory that a payload names; it may be cut out of it."""
    at = text.index(_NAMES) + len(_NAMES)
    return b64url_decode(text[at : at + _DIGEST_CHARACTERS])


def pack_body(body: bytes) -> bytes:
    """Return an inventory or evidence blob, compressed."""
    deflate = zlib.compressobj(_BODY_LEVEL, zlib.DEFLATED, _BODY_WINDOW, _BODY_MEMORY)
    return deflate.compress(body) + deflate.flush()


def unpack_body(packed: bytes) -> bytes:
    """Return what `pack_body` was given."""
    return zlib.decompress(packed)
