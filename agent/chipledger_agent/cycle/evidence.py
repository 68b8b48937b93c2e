"""An evidence round: one nonce, one source after the other, and what goes into the token."""

from collections.abc import Iterable, Sequence

from chipledger_agent.domain.evidence import (
    CORELIB,
    MAX_BLOBS_BYTES,
    MAX_REFS,
    DeviceEvidence,
    Gathered,
    Packed,
    ReasonCode,
    bounded,
    nothing_to_ask,
    why,
)
from chipledger_agent.ports import Clock, EvidenceSource, Notifier
from chipledger_evidence.claims import EvidenceRef, NoEvidence
from chipledger_evidence.codec import b64url_decode
from chipledger_evidence.gpu.envelope import NVIDIA_SPDM, Source, device_nonce, seal_envelope
from chipledger_evidence.ids import sha256_b64
from chipledger_evidence.inventory import Inventory

ROUND_S = 540
"""A round takes no longer: the challenge of evidence lives ten minutes, signing included."""
_SPDM_1_1 = 0x11
OTHER_SPDM = "nvidia-spdm-other"
"""Kind of a transcript that does not begin as SPDM 1.1 does; a collector keeps it, unproven."""


class SilentSource:
    """A source that is switched off, or is not there: gives its reason and asks nobody."""

    asks = False

    def __init__(self, name: str, code: str) -> None:
        self.name = name
        self._code = code

    def gather(self, nonce: bytes, inventory: Inventory, *, within_s: int) -> Gathered:
        """Return why there is nothing; what the hardware cannot do comes before what is off."""
        del nonce, within_s
        reason = nothing_to_ask(self.name, inventory) or why(self.name, self._code)
        if self.name != CORELIB:
            return Gathered(reasons=(reason,))
        # Switches are asked the same way, and their silence is a fact of its own.
        witness = why(self.name, ReasonCode.NO_SWITCH_WITNESS, detail=self._code)
        return Gathered(reasons=(reason, witness))


class Rounds:
    """Asks the sources of one host, one at a time."""

    def __init__(
        self,
        sources: Sequence[EvidenceSource],
        *,
        thumbprint: str,
        clock: Clock,
        notifier: Notifier,
    ) -> None:
        """Take the parts; nothing is asked yet.

        Args:
            sources: in the order in which they are asked.
            thumbprint: `kid` of the host's key, which the device nonce binds.
            clock: measures how long the round takes.
            notifier: told after each source, because a round can take minutes.
        """
        self._sources = tuple(sources)
        self._thumbprint = b64url_decode(thumbprint)
        self._clock = clock
        self._notifier = notifier

    @property
    def asks(self) -> bool:
        """Whether any source is switched on."""
        return any(source.asks for source in self._sources)

    def standing_reasons(self, inventory: Inventory) -> tuple[NoEvidence, ...]:
        """Return why no chip can sign, where no source is switched on; empty where one is."""
        if self.asks:
            return ()
        gathered = [source.gather(b"", inventory, within_s=0) for source in self._sources]
        return bounded(reason for item in gathered for reason in item.reasons)

    def ask(self, challenge: str, inventory: Inventory) -> Packed:
        """Return what the sources gave over `challenge`, and why they gave no more."""
        nonce = device_nonce(b64url_decode(challenge), self._thumbprint)
        begun_ms = self._clock.monotonic_ms()
        answers: list[Gathered] = []
        for source in self._sources:
            left_s = ROUND_S - (self._clock.monotonic_ms() - begun_ms) // 1000
            if left_s > 0:
                answers.append(source.gather(nonce, inventory, within_s=left_s))
            else:
                answers.append(Gathered(reasons=(why(source.name, ReasonCode.DEADLINE),)))
            self._notifier.progress(f"asked {source.name} for evidence")
        return pack(answers, nonce)


def pack(answers: Iterable[Gathered], nonce: bytes) -> Packed:
    """Return the refs, blobs and reasons of a round, within what a token and a request hold."""
    refs: dict[str, EvidenceRef] = {}
    blobs: dict[str, bytes] = {}
    reasons: list[NoEvidence] = []
    for answer in answers:
        reasons += answer.reasons
        for item in answer.found:
            blob = _sealed(item, nonce)
            room = MAX_BLOBS_BYTES - sum(map(len, blobs.values()))
            if blob is None or len(blob) > room or len(refs) >= MAX_REFS:
                reasons.append(why(item.source, ReasonCode.TOO_LARGE, chip=item.chip))
                continue
            digest = sha256_b64(blob)
            blobs[digest] = blob
            refs[digest] = EvidenceRef(
                bytes=len(blob), digest=digest, kind=_kind(item), chip=item.chip
            )
    return Packed(refs=tuple(refs.values()), blobs=tuple(blobs.values()), reasons=bounded(reasons))


def _kind(item: DeviceEvidence) -> str:
    return NVIDIA_SPDM if item.transcript[:1] == bytes((_SPDM_1_1,)) else OTHER_SPDM


def _sealed(item: DeviceEvidence, nonce: bytes) -> bytes | None:
    try:
        return seal_envelope(
            source=Source(item.source),
            transcript=item.transcript,
            chain=item.chain,
            nonce=nonce,
            kind=_kind(item),
        )
    except ValueError:
        return None
