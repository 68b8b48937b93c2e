"""Builders of valid claims; a test changes the one thing it is about."""

from typing import Any

import msgspec

from chipledger_evidence.claims import (
    FormerFullReport,
    FormerHeartbeat,
    FullReport,
    Heartbeat,
    NoEvidence,
    TpmQuote,
)
from chipledger_evidence.codec import b64url_encode
from chipledger_evidence.ids import NO_PREVIOUS, HostId, SiteId, sha256_b64, ueid
from chipledger_evidence.inventory import (
    Chip,
    Counters,
    Inventory,
    PciFunction,
    PciIds,
    PciKind,
    ProcGpu,
    Provider,
    Status,
    Unread,
    inventory_digest,
)

HOST = HostId("h-" + "a" * 26)
SITE = SiteId("kul-1")
NONCE = b64url_encode(bytes(range(32)))
WITHOUT = NoEvidence(code="cc-off", source="nvml", chip=0, detail="CC state 0")
QUOTE = TpmQuote(
    attest=b64url_encode(bytes(range(129))),
    pcrs={"0": sha256_b64(b"pcr 0"), "7": sha256_b64(b"pcr 7")},
    signature=b64url_encode(bytes(64)),
)


def inventory(*, chips: int = 8, seed: int = 1, provider: str = "nvml") -> Inventory:
    """Return an HGX H100 host whose three views agree."""
    buses = [f"0000:{0x53 + 0x11 * i:02x}:00.0" for i in range(chips)]
    uuids = [f"GPU-{seed:08x}-0000-4000-8000-{i:012x}" for i in range(chips)]
    return Inventory(
        status=Status.OK,
        provider=Provider(kind=provider),
        device_count=chips,
        chips=tuple(
            Chip(
                index=i,
                uuid=uuids[i],
                pdi=f"{seed:08x}{i:08x}",
                serial=f"165{seed:06d}{i:04d}",
                board_part="692-2G520-0200-000",
                name="NVIDIA H100 80GB HBM3",
                architecture=9,
                memory_bytes=85520809984,
                pci=PciIds(bdf=buses[i], device="233010de", subsystem="16c110de"),
                module_id=i + 1,
                vbios="96.00.99.00.01",
                virtualization=0,
                unread={"platform": Unread(nvml=3)},
            )
            for i in range(chips)
        ),
        pci=tuple(
            PciFunction(
                bdf=bdf, kind=PciKind.GPU, device="233010de", class_code="030200", driver="nvidia"
            )
            for bdf in buses
        ),
        proc=tuple(ProcGpu(bdf=bdf, uuid=uuid) for bdf, uuid in zip(buses, uuids, strict=True)),
    )


def heartbeat(**changes: Any) -> Heartbeat:  # noqa: ANN401 - any claim may be changed
    """Return the claims of a second token, with `changes` made."""
    base = Heartbeat(
        bootseed=sha256_b64(b"boot"),
        eat_nonce=NONCE,
        host=HOST,
        iat=1_790_000_000,
        inv=inventory_digest(inventory()),
        prev=sha256_b64(b"first"),
        seq=2,
        site=SITE,
        uptime=3600,
        counters=(Counters(ecc_corrected=0, ecc_uncorrected=0),) * 8,
    )
    return msgspec.structs.replace(base, **changes)


def full_report(**changes: Any) -> FullReport:  # noqa: ANN401 - any claim may be changed
    """Return the claims of a first token, with `changes` made; `inv` follows `inventory`."""
    statement = changes.get("inventory", inventory())
    base = FullReport(
        bootseed=sha256_b64(b"boot"),
        eat_nonce=NONCE,
        host=HOST,
        iat=1_790_000_000,
        inv=inventory_digest(statement),
        prev=NO_PREVIOUS,
        seq=1,
        site=SITE,
        uptime=60,
        counters=(Counters(ecc_corrected=0, ecc_uncorrected=0),) * 8,
        inventory=statement,
        swname="chipledger-agent",
        swversion="0.1.0",
        ueid=ueid("host", b"\x07" * 32),
    )
    return msgspec.structs.replace(base, **changes)


def former(claims: FullReport | Heartbeat) -> FormerFullReport | FormerHeartbeat:
    """Return `claims` in the previous profile version, which cannot say what is new."""
    kind = FormerFullReport if isinstance(claims, FullReport) else FormerHeartbeat
    return kind(**{name: getattr(claims, name) for name in kind.__struct_fields__})
