"""RFC 6962 Merkle tree hashes, and inclusion and consistency proofs (RFC 9162 section 2.1).

Takes and gives 32-byte hashes; knows nothing of what the leaves mean. The builders here read
a plain sequence of leaf hashes and are the reference that any tiled store is tested against.
"""

import hashlib
from collections.abc import Sequence

from chipledger_evidence.errors import Code, EvidenceError

HASH_BYTES = 32
MAX_PROOF_HASHES = 63
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_hash(leaves: Sequence[bytes]) -> bytes:
    """Return the tree head over leaf hashes; the empty tree's is SHA-256 of nothing."""
    if not leaves:
        return EMPTY_ROOT
    # Combine equal-sized neighbours as they complete, then fold the right edge.
    edge: list[tuple[int, bytes]] = []
    for leaf in leaves:
        size, top = 1, leaf
        while edge and edge[-1][0] == size:
            top = node_hash(edge.pop()[1], top)
            size *= 2
        edge.append((size, top))
    root = edge.pop()[1]
    while edge:
        root = node_hash(edge.pop()[1], root)
    return root


class Edge:
    """A tree that grows leaf by leaf and keeps only the roots of its whole subtrees.

    Attributes:
        size: leaves so far.
        hashes: roots of the whole subtrees, the largest first: one for each bit of `size`.
    """

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if size < 0 or size.bit_count() != len(hashes):
            raise EvidenceError(
                Code.MALFORMED_PROOF, f"a tree of {size} has no {len(hashes)} whole subtrees"
            )
        self.size = size
        self.hashes = list(hashes)

    def add(self, leaf: bytes) -> None:
        """Take up the next leaf hash."""
        top, rest = leaf, self.size
        while rest & 1:
            top = node_hash(self.hashes.pop(), top)
            rest >>= 1
        self.hashes.append(top)
        self.size += 1

    def root(self) -> bytes:
        """Return the tree head over the leaves so far."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of leaf `index` in the tree over `leaves`, nearest sibling first."""
    if not 0 <= index < len(leaves):
        raise EvidenceError(Code.MALFORMED_PROOF, f"no leaf {index} in a tree of {len(leaves)}")
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(leaves[:split], index), root_hash(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), root_hash(leaves[:split])]


def verify_inclusion(
    leaf: bytes, *, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Return only if `proof` shows `leaf` at `index` of the tree with `size` and `root`.

    Raises:
        EvidenceError: `malformed-proof` or `proof-mismatch`.
    """
    if not 0 <= index < size or not _well_formed(proof):
        raise EvidenceError(Code.MALFORMED_PROOF, f"index {index}, size {size}")
    inner, last = index, size - 1
    computed = leaf
    for sibling in proof:  # RFC 9162 section 2.1.3.2
        if last == 0:
            raise EvidenceError(Code.MALFORMED_PROOF, "too many hashes")
        if inner & 1 or inner == last:
            computed = node_hash(sibling, computed)
            while not inner & 1 and inner:
                inner >>= 1
                last >>= 1
        else:
            computed = node_hash(computed, sibling)
        inner >>= 1
        last >>= 1
    if last != 0:
        raise EvidenceError(Code.MALFORMED_PROOF, "too few hashes")
    if computed != root:
        raise EvidenceError(Code.PROOF_MISMATCH, f"leaf {index} is not in the tree of {size}")


def consistency_proof(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """Return the proof that the tree over `leaves` extends the one over its first `first`."""
    if not 0 < first <= len(leaves):
        raise EvidenceError(Code.MALFORMED_PROOF, f"no tree of {first} in one of {len(leaves)}")
    return _subproof(leaves, first, whole=True)


def verify_consistency(
    *, first: int, first_root: bytes, second: int, second_root: bytes, proof: Sequence[bytes]
) -> None:
    """Return only if `proof` shows that the second tree appends to the first.

    Raises:
        EvidenceError: `malformed-proof` or `proof-mismatch`.
    """
    if not 0 < first <= second or not _well_formed(proof):
        raise EvidenceError(Code.MALFORMED_PROOF, f"sizes {first} and {second}")
    if first == second:
        if proof or first_root != second_root:
            raise EvidenceError(Code.PROOF_MISMATCH, "equal sizes, different roots or a proof")
        return
    path = list(proof)
    if first & (first - 1) == 0:  # a power of two is a node of the bigger tree
        path.insert(0, first_root)
    old, new = _walk_consistency(path, first - 1, second - 1)
    if old != first_root or new != second_root:
        raise EvidenceError(Code.PROOF_MISMATCH, f"tree of {second} does not extend {first}")


def _walk_consistency(path: list[bytes], inner: int, last: int) -> tuple[bytes, bytes]:
    """Recompute both roots (RFC 9162 section 2.1.4.2)."""
    if not path:
        raise EvidenceError(Code.MALFORMED_PROOF, "an empty proof between different sizes")
    while inner & 1:
        inner >>= 1
        last >>= 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise EvidenceError(Code.MALFORMED_PROOF, "too many hashes")
        if inner & 1 or inner == last:
            old = node_hash(sibling, old)
            new = node_hash(sibling, new)
            while not inner & 1 and inner:
                inner >>= 1
                last >>= 1
        else:
            new = node_hash(new, sibling)
        inner >>= 1
        last >>= 1
    if last != 0:
        raise EvidenceError(Code.MALFORMED_PROOF, "too few hashes")
    return old, new


def _subproof(leaves: Sequence[bytes], first: int, *, whole: bool) -> list[bytes]:
    if first == len(leaves):
        return [] if whole else [root_hash(leaves)]
    split = _split(len(leaves))
    if first <= split:
        return [*_subproof(leaves[:split], first, whole=whole), root_hash(leaves[split:])]
    return [
        *_subproof(leaves[split:], first - split, whole=False),
        root_hash(leaves[:split]),
    ]


def _split(size: int) -> int:
    """Return the largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _well_formed(proof: Sequence[bytes]) -> bool:
    return len(proof) <= MAX_PROOF_HASHES and all(len(item) == HASH_BYTES for item in proof)
