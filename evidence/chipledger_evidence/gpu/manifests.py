"""Reference manifests at hand for a device's firmware.

They are SWID tags in XML, signed with XMLDSig. Nothing here checks such a signature, so nothing
here compares measurements with them: the fact stays `not-checked`, and the reason says which of
the two manifests that this device needs were found.
"""

from collections.abc import Mapping, Sequence

from chipledger_evidence.gpu.errors import GpuCode, GpuEvidenceError


def manifest_ids(
    *,
    die: str | None,
    driver: str | None,
    chip_info: str | None,
    board: Sequence[str | None],
    vbios: str | None,
) -> tuple[str, ...]:
    """Return the ids of the driver's and the VBIOS's manifest, as NVIDIA names them.

    Args:
        die: e.g. ``GH100``.
        driver: driver version in the report.
        chip_info: chip name in the report, where stated.
        board: project, project SKU and chip SKU.
        vbios: VBIOS version as NVML writes it.
    """
    ids = []
    if die and driver:
        kind = f"DRIVER_{die}" if die == "GH100" else f"CC_DRIVER_{chip_info or die}"
        ids.append(f"NV_GPU_{kind}_{driver}")
    if vbios and all(board):
        ids.append(f"NV_GPU_VBIOS_{'_'.join(map(str, board))}_{vbios.replace('.', '')}")
    return tuple(ids)


def check_manifests(
    manifests: Mapping[str, bytes],
    *,
    die: str | None,
    driver: str | None,
    chip_info: str | None,
    board: Sequence[str | None],
    vbios: str | None,
) -> None:
    """Say what is at hand; never returns, because nothing is compared yet.

    Raises:
        GpuEvidenceError: `manifest-not-checked`, always.
    """
    wanted = manifest_ids(die=die, driver=driver, chip_info=chip_info, board=board, vbios=vbios)
    names = {name.rpartition(".")[0].upper() or name.upper() for name in manifests}
    found = [each for each in wanted if each.upper() in names]
    detail = "manifest signature not verified" if found else "no manifest of this firmware"
    raise GpuEvidenceError(
        GpuCode.MANIFEST_NOT_CHECKED,
        f"{detail} (needed {', '.join(wanted) or 'unknown'}; found {', '.join(found) or 'none'})",
    )
