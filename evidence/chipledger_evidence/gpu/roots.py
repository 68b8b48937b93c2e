"""Whom we trust to have made a device: dated pins of root keys, with where each comes from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RootPin:
    """One root key of a maker of devices.

    Attributes:
        name: common name of the root certificate, for people only.
        spki_sha256: SHA-256 of its SubjectPublicKeyInfo, hex. The key is pinned and not a
            certificate: a second self-signed certificate of the same key is in use.
        source: where the key was read from.
        as_of: day it was read, ISO 8601.
    """

    name: str
    spki_sha256: str
    source: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustAnchors:
    """The root keys that a chain may end in, and the version of this list."""

    version: str
    roots: tuple[RootPin, ...]

    def holds(self, spki_sha256: str) -> bool:
        """Tell whether a chain that ends in this key is to be believed."""
        return any(root.spki_sha256 == spki_sha256 for root in self.roots)


NVIDIA = TrustAnchors(
    version="2026-11-22",
    roots=(
        RootPin(
            name="NVIDIA Device Identity CA",
            spki_sha256="a90c4eb5acfd3e3d03a25db6a26b84f720ad0503196c627c21ddd48dd85b06a4",
            source="github.com/NVIDIA/nvtrust, verifier_device_root.pem, commit 02817309; the same"
            " key ends the chains of every genuine device in the test data",
            as_of="2026-11-22",
        ),
    ),
)
"""The one root of NVIDIA's device identities."""

NVIDIA_MANIFESTS = TrustAnchors(
    version="2026-11-23",
    roots=(
        RootPin(
            name="NVIDIA CoRIM signing Root CA",
            spki_sha256="dec1dc316477aa851eebdf51327ae9f864bc8d89254657ed1e7eb9168af1e1a3",
            source="github.com/NVIDIA/nvtrust, verifier_RIM_root.pem, commit 02817309",
            as_of="2026-11-23",
        ),
    ),
)
"""The one root of NVIDIA's reference manifests."""
