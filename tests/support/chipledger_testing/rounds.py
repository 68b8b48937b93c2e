"""Rounds of evidence: what chips of a simulated host sign over a collector's challenge."""

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from chipledger_evidence.claims import EvidenceRef
from chipledger_evidence.codec import b64url_decode
from chipledger_evidence.gpu.envelope import NVIDIA_SPDM, Source, device_nonce, seal_envelope
from chipledger_evidence.gpu.result import EvidenceResult
from chipledger_evidence.gpu.roots import TrustAnchors
from chipledger_evidence.ids import sha256_b64
from chipledger_evidence.token import Token
from chipledger_server.domain.rounds import Round
from chipledger_testing.gpu_pki import GpuMaker
from chipledger_testing.hosts import SimulatedHost, chip_of, inventory_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A token and the blobs beside it."""

    token: Token
    blobs: tuple[bytes, ...]


def host_of(seed: str, makers: Sequence[GpuMaker], *, pdi: bool = True) -> SimulatedHost:
    """Return a host that lists the chips of `makers`; `pdi` False: as before driver R580."""
    chips = (
        msgspec.structs.replace(chip_of(seed, index), pdi=maker.pdi if pdi else None)
        for index, maker in enumerate(makers)
    )
    return SimulatedHost(seed=seed, inventory=inventory_of(*chips))


def nonce_of(host: SimulatedHost, challenge: str) -> bytes:
    """Return the device nonce of a round of `host`."""
    return device_nonce(b64url_decode(challenge), b64url_decode(host.signer.public.kid))


def answer(
    host: SimulatedHost,
    challenge: str,
    makers: Mapping[int | None, GpuMaker] | Sequence[GpuMaker],
    *,
    switches: Sequence[GpuMaker] = (),
    nonce: bytes | None = None,
) -> Answered:
    """Return a heartbeat of `host` with the evidence of devices.

    Args:
        host: who collects it.
        challenge: the collector's nonce that the token echoes.
        makers: devices by the index the host gives them, in order where none is given.
        switches: devices without an index.
        nonce: another nonce than the round's, as for evidence that was made before.
    """
    asked = nonce_of(host, challenge) if nonce is None else nonce
    named = makers if isinstance(makers, Mapping) else dict(enumerate(makers))
    made = [(index, blob_of(maker, asked)) for index, maker in named.items()]
    made += [(None, blob_of(switch, asked)) for switch in switches]
    refs = tuple(reference(blob, chip=index) for index, blob in made)
    token = host.heartbeat(challenge, evidence=refs)
    return Answered(token=token, blobs=tuple(blob for _, blob in made))


def blob_of(maker: GpuMaker, nonce: bytes) -> bytes:
    """Return the envelope of what a device signs over `nonce`."""
    report, chain = maker.evidence(nonce)
    return seal_envelope(source=Source.NVML, transcript=report, chain=chain, nonce=nonce)


def reference(blob: bytes, *, chip: int | None = None) -> EvidenceRef:
    """Return what a token says of a blob."""
    return EvidenceRef(bytes=len(blob), digest=sha256_b64(blob), kind=NVIDIA_SPDM, chip=chip)


def die(_round: Round, _anchors: TrustAnchors, _now_ms: int) -> EvidenceResult:
    """End the worker's process, as evidence that breaks a parser might."""
    os._exit(9)


def hang(_round: Round, _anchors: TrustAnchors, _now_ms: int) -> EvidenceResult:
    """Never come back, as evidence that a parser cannot finish might make it."""
    while True:
        signal.pause()


def fail(_round: Round, _anchors: TrustAnchors, _now_ms: int) -> EvidenceResult:
    """Raise, as a parser might over what nobody thought of."""
    raise RuntimeError("nobody thought of this")
