"""Reference manifests: which measurements a firmware ought to have, and whether a report has them.

A manifest is a SWID tag (ISO/IEC 19770-2) in the TCG's reference integrity profile, signed with
XMLDSig. Its signature is verified where files are read, with a library for XML; what comes here is
what a verified one says. The driver's and the VBIOS's manifest together cover a device.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chipledger_evidence.gpu.errors import GpuCode, GpuEvidenceError

_NVDEC_BLOCK: Final = 35
"""Not compared where the report says that this engine is off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a manifest says whose signature holds.

    Attributes:
        version: of the driver or VBIOS it is for.
        product: die it is for, e.g. ``GH100``.
        golden: index (block index of the report - 1) → digests of which one must be there.
    """

    version: str
    product: str
    golden: Mapping[int, frozenset[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A file that is no manifest to be believed.

    Attributes:
        why: in words.
    """

    why: str


Stored = Manifest | Unusable


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """What a report states of a device's firmware.

    Attributes:
        die: e.g. ``GH100``.
        driver: driver version.
        chip_info: chip name, where stated.
        board: project, project SKU and chip SKU.
        vbios: VBIOS version as NVML writes it.
        measurements: SHA-384 of each block, block index 1 first.
        nvdec_off: whether the report says that the NVDEC engine is off.
    """

    die: str | None
    driver: str | None
    chip_info: str | None
    board: Sequence[str | None]
    vbios: str | None
    measurements: Sequence[bytes]
    nvdec_off: bool

    def wanted(self) -> Mapping[str, str]:
        """Return id → version of the driver's and the VBIOS's manifest, as NVIDIA names them."""
        found: dict[str, str] = {}
        if self.die and self.driver:
            kind = "DRIVER" if self.die == "GH100" else "CC_DRIVER"
            chip = self.die if self.die == "GH100" else self.chip_info or self.die
            found[f"NV_GPU_{kind}_{chip}_{self.driver}"] = self.driver
        if self.vbios and all(self.board):
            board = "_".join(map(str, self.board))
            found[f"NV_GPU_VBIOS_{board}_{self.vbios.replace('.', '')}"] = self.vbios
        return found


def check_manifests(stored: Mapping[str, Stored], firmware: Firmware) -> None:
    """Return only if both manifests of this firmware are at hand and every measurement equals.

    A file's name only says where to look; what counts is the version that the manifest signs.

    Raises:
        GpuEvidenceError: `measurement-mismatch`, or `manifest-not-checked`, which says how far the
            comparison came.
    """
    files = {name.rpartition(".")[0].upper() or name.upper(): one for name, one in stored.items()}
    golden: dict[int, frozenset[bytes]] = {}
    open_: list[str] = []
    wanted = firmware.wanted()
    for name, version in wanted.items():
        one = files.get(name.upper())
        why = _why_not(one, version, firmware)
        if why is not None:
            open_.append(f"{name}: {why}")
        elif isinstance(one, Manifest):
            for index, digests in one.golden.items():
                golden[index] = golden.get(index, digests) & digests
    equal = _compare(golden, firmware)
    if open_ or len(wanted) < 2:  # noqa: PLR2004 - the driver's and the VBIOS's
        detail = "; ".join(open_) or "the report does not say which firmware it is of"
        raise GpuEvidenceError(
            GpuCode.MANIFEST_NOT_CHECKED, f"{equal} measurements equal; {detail}"
        )


def _why_not(one: Stored | None, version: str, firmware: Firmware) -> str | None:
    """Return why a file cannot be compared with, or None where it can."""
    if one is None:
        return "not at hand"
    if isinstance(one, Unusable):
        return one.why
    if one.version.upper() != version.upper():
        return f"it is for {one.version}"
    if one.product.upper() not in {str(firmware.die).upper(), str(firmware.chip_info).upper()}:
        return f"it is for {one.product}"
    return None


def _compare(golden: Mapping[int, frozenset[bytes]], firmware: Firmware) -> int:
    """Return how many measurements equal.

    Raises:
        GpuEvidenceError: `measurement-mismatch`.
    """
    compared = [
        index for index in sorted(golden) if not (firmware.nvdec_off and index == _NVDEC_BLOCK)
    ]
    wrong = [
        str(index)
        for index in compared
        if index >= len(firmware.measurements) or firmware.measurements[index] not in golden[index]
    ]
    if wrong:
        raise GpuEvidenceError(
            GpuCode.MEASUREMENT_MISMATCH,
            f"{len(wrong)} of {len(compared)} measurements are not those of the manifests: numbers"
            f" {', '.join(wrong)}",
        )
    return len(compared)
