"""Meaning of a report's opaque fields, for a GPU and for an NVSwitch.

The numbers are NVIDIA's (attestation-sdk, opaque data parser); the same number can mean another
thing in a switch. All fields are signed, but version and SKU fields may reach the signing
firmware through the driver: they are second-class until manifests confirm them.
"""

import re
from collections.abc import Iterable, Iterator

from chipledger_evidence.gpu.errors import GpuCode, GpuEvidenceError
from chipledger_evidence.gpu.report import DIGEST_BYTES, Report

DRIVER, VBIOS, NVDEC, CHIP_SKU, PROJECT, PROJECT_SKU = 3, 6, 11, 15, 17, 18
FWID, PDIS, SWITCH_GPU_PDIS, OPAQUE_VERSION, CHIP_NAME, FEATURE = 20, 22, 26, 34, 35, 36
NEWEST_OPAQUE_VERSION = 1
PDI_BYTES = 8
SWITCH_PORTS_FOR_GPUS = 8
_SHORT_TEXT = re.compile(rb"[ -~]{0,64}")
_VBIOS_BYTES = 8
_VBIOS_ORDER = (3, 2, 1, 0, 4)
_DISABLED = 0x55
_NO_PDI = frozenset({bytes(PDI_BYTES), b"\xff" * PDI_BYTES})
_FEATURES = {0: "mpt", 1: "spt", 2: "ppcie"}


def check_version(report: Report) -> None:
    """Return only if the opaque fields have the meaning that this module knows.

    Raises:
        GpuEvidenceError: `opaque-version-unsupported` or `opaque-malformed`.
    """
    raw = report.opaque.get(OPAQUE_VERSION, b"\0\0")
    if len(raw) != 2:  # noqa: PLR2004 - a u16
        raise GpuEvidenceError(GpuCode.OPAQUE_MALFORMED, "field 34 is no 16-bit version")
    version = int.from_bytes(raw, "little")
    if version > NEWEST_OPAQUE_VERSION:
        raise GpuEvidenceError(
            GpuCode.OPAQUE_UNSUPPORTED,
            f"opaque data of version {version}; known up to {NEWEST_OPAQUE_VERSION}",
        )


def text(report: Report, field: int) -> str | None:
    """Return a text field without its NUL padding, or None where the report does not state it.

    Raises:
        GpuEvidenceError: `opaque-malformed` when it is not printable ASCII padded with NULs.
    """
    raw = report.opaque.get(field)
    if raw is None:
        return None
    body = raw.rstrip(b"\0")
    if not _SHORT_TEXT.fullmatch(body):
        raise GpuEvidenceError(GpuCode.OPAQUE_MALFORMED, f"field {field} is no short ASCII text")
    return body.decode("ascii")


def gpu_vbios(report: Report) -> str | None:
    """Return a GPU's VBIOS version as NVML writes it, e.g. ``96.00.9F.00.01``.

    Raises:
        GpuEvidenceError: `opaque-malformed` when the field has another length.
    """
    raw = report.opaque.get(VBIOS)
    if raw is None:
        return None
    if len(raw) != _VBIOS_BYTES:
        raise GpuEvidenceError(GpuCode.OPAQUE_MALFORMED, f"field {VBIOS} has {len(raw)} bytes")
    return ".".join(f"{raw[place]:02X}" for place in _VBIOS_ORDER)


def nvdec_off(report: Report) -> bool:
    """Tell whether the report says that the NVDEC engine is off: 0x55, little-endian."""
    return int.from_bytes(report.opaque.get(NVDEC, b""), "little") == _DISABLED


def firmware_id(report: Report) -> bytes | None:
    """Return the SHA-384 of the first mutable firmware, or None where not stated.

    Raises:
        GpuEvidenceError: `opaque-malformed` when the field has another length.
    """
    raw = report.opaque.get(FWID)
    if raw is not None and len(raw) != DIGEST_BYTES:
        raise GpuEvidenceError(GpuCode.OPAQUE_MALFORMED, f"field {FWID} has {len(raw)} bytes")
    return raw


def feature(report: Report) -> str | None:
    """Return the mode of the platform: ``mpt``, ``spt``, ``ppcie`` or the number in decimal."""
    raw = report.opaque.get(FEATURE)
    if raw is None:
        return None
    number = int.from_bytes(raw[:PDI_BYTES], "little")
    return _FEATURES.get(number, str(number))


def switches_of_gpu(report: Report) -> tuple[str, ...]:
    """Return the PDIs of the switches a GPU sees on its links, sorted, each once.

    Raises:
        GpuEvidenceError: `opaque-malformed` when the field is no list of 8-byte values.
    """
    raw = report.opaque.get(PDIS, b"")
    if len(raw) % PDI_BYTES:
        raise GpuEvidenceError(GpuCode.OPAQUE_MALFORMED, f"field {PDIS} has {len(raw)} bytes")
    return _named(value[::-1] for value in _eights(raw))  # little-endian here, unlike field 26


def pdi_of_switch(report: Report) -> str:
    """Return the PDI that a switch states of itself.

    Raises:
        GpuEvidenceError: `opaque-malformed` when it states none.
    """
    raw = report.opaque.get(PDIS, b"")
    if len(raw) != PDI_BYTES:
        raise GpuEvidenceError(GpuCode.OPAQUE_MALFORMED, "the switch does not state its own PDI")
    return raw.hex()


def gpus_of_switch(report: Report) -> tuple[str, ...]:
    """Return the PDIs of the GPUs a switch sees on its ports, sorted, each once.

    Raises:
        GpuEvidenceError: `opaque-malformed` when the list is shorter than a switch's ports.
    """
    raw = report.opaque.get(SWITCH_GPU_PDIS, b"")
    if len(raw) < SWITCH_PORTS_FOR_GPUS * PDI_BYTES:
        raise GpuEvidenceError(GpuCode.OPAQUE_MALFORMED, "the switch does not list its GPUs")
    return _named(_eights(raw[: SWITCH_PORTS_FOR_GPUS * PDI_BYTES]))


def _eights(raw: bytes) -> Iterator[bytes]:
    return (raw[at : at + PDI_BYTES] for at in range(0, len(raw), PDI_BYTES))


def _named(values: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(sorted({value.hex() for value in values if value not in _NO_PDI}))
