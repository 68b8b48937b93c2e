"""Which device a certificate chain names: its class, its PDI, and what its signer stated at boot.

One root key certifies GPUs, NVSwitches and board controllers alike, so a good chain alone says
nothing of the class: the provisioner's name (L3) does, and every other level must agree with it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509

from chipledger_evidence.gpu import der
from chipledger_evidence.gpu.chain import CHIP, FAMILY, PROVISIONER, SIGNER, Certificate
from chipledger_evidence.gpu.errors import GpuCode, GpuEvidenceError
from chipledger_evidence.gpu.fields import PDI_BYTES
from chipledger_evidence.gpu.report import DIGEST_BYTES


class DeviceClass(StrEnum):
    """What kind of device a chain names; only when the names of all its levels agree."""

    GPU = "gpu"
    NVSWITCH = "nvswitch"
    BOARD = "board"  # an external root of trust on a board: neither a GPU nor part of one
    UNKNOWN = "unknown"


class Rot(StrEnum):
    """The root of trust that answers; a GPU can have two, with an L4 key each and one PDI."""

    GSP = "gsp"
    FSP = "fsp"
    SWITCH = "switch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A GPU or NVSwitch as its factory certificate names it.

    Attributes:
        device_class: GPU or NVSWITCH.
        die: as the provisioner's name has it, e.g. ``GH100``.
        pdi: 64-bit fused id, 16 lower-case hex digits, as `Chip.pdi` has it.
        rot: the root of trust that holds the L4 key.
    """

    device_class: DeviceClass
    die: str
    pdi: str
    rot: Rot


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedFirmware:
    """What the signer's certificate (L5) says of the firmware that holds its key.

    Attributes:
        form: ``hopper`` (2.23.133.5.4.1) or ``tcbinfo`` (DICE TCB info, 2.23.133.5.4.1.1).
        fwid: SHA-384 of the first mutable firmware.
        chip_spki: SubjectPublicKeyInfo of L4 where it is repeated (Hopper).
    """

    form: str
    fwid: bytes
    chip_spki: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """The names of one class of device, from the family (L2) to the signer (L5)."""

    device_class: DeviceClass
    levels: tuple[re.Pattern[str], ...]
    rots: dict[int, Rot]
    """First octet of the chip's serial number → root of trust."""

    agree: int
    """That many first letters of the die must be the same at every level that names a die."""


_GPU_DIE = r"(?P<die>GH100|GB1\d[\dX]|GB20[\dX])"
_SWITCH_DIE = r"(?P<die>LS_10)"
_CLASSES = (
    _Names(
        device_class=DeviceClass.GPU,
        levels=(
            re.compile(rf"NVIDIA {_GPU_DIE} Identity"),
            re.compile(r"NVIDIA (?P<die>GH100|GB1\d\d|GB20\d) Provisioner ICA \d{1,8}"),
            re.compile(rf"{_GPU_DIE} [A-Z]\d\d (?P<rot>GSP|FSP) BROM"),
            re.compile(rf"{_GPU_DIE} [A-Z]\d\d (?P<rot>GSP|FSP) FMC LF"),
        ),
        rots={0x41: Rot.GSP, 0x40: Rot.FSP},
        agree=3,
    ),
    _Names(
        device_class=DeviceClass.NVSWITCH,
        levels=(
            re.compile(r"NVIDIA GH100 Identity"),
            re.compile(rf"NVIDIA {_SWITCH_DIE} Provisioner ICA \d{{1,8}}"),
            re.compile(rf"{_SWITCH_DIE} [A-Z]\d\d (?P<rot>FSP) BROM"),
            re.compile(rf"{_SWITCH_DIE} [A-Z]\d\d (?P<rot>FSP) FMC LF"),
        ),
        rots={0x50: Rot.SWITCH},
        agree=5,
    ),
)
_BOARD = re.compile(r"CEC173x pCA\d{1,8}")
_NO_PDI = frozenset({bytes(PDI_BYTES), b"\xff" * PDI_BYTES})

_DEVICE_INFO = x509.ObjectIdentifier("1.3.6.1.4.1.412.274.1")  # DMTF DSP0274, otherName
_HOPPER_FWID = x509.ObjectIdentifier("2.23.133.5.4.1")
_TCB_INFO = x509.ObjectIdentifier("2.23.133.5.4.1.1")  # TCG DICE attestation architecture 6.1.1
_INFO_TEXT = re.compile(rb"[ -~]{1,64}")
_SHA384 = bytes.fromhex("608648016503040202")
_FWID_LIST = 0xA6
_HOPPER_MEMBERS = 3


def class_of(chain: Sequence[Certificate]) -> DeviceClass:
    """Return the class that the provisioner's name alone claims."""
    name = chain[PROVISIONER].name
    for names in _CLASSES:
        if names.levels[PROVISIONER - FAMILY].fullmatch(name):
            return names.device_class
    return DeviceClass.BOARD if _BOARD.fullmatch(name) else DeviceClass.UNKNOWN


def device_of(chain: Sequence[Certificate]) -> Device:
    """Return the GPU or switch that all levels of the chain agree on.

    Raises:
        GpuEvidenceError: `not-a-gpu` for a board's root of trust, `unknown-device-class` for
            other names or names that disagree, `serial-not-a-pdi`.
    """
    claimed = class_of(chain)
    names = next((each for each in _CLASSES if each.device_class is claimed), None)
    if names is None:
        code = GpuCode.NOT_A_GPU if claimed is DeviceClass.BOARD else GpuCode.UNKNOWN_DEVICE
        raise GpuEvidenceError(
            code, f"the provisioner is {chain[PROVISIONER].name!r}, which certifies no GPU"
        )
    levels = zip(names.levels, chain[FAMILY:], strict=True)
    found = [pattern.fullmatch(certificate.name) for pattern, certificate in levels]
    parts = [match.groupdict() for match in found if match]
    dies = {part["die"][: names.agree] for part in parts if "die" in part}
    rots = {part["rot"] for part in parts if "rot" in part}
    if len(parts) != len(found) or len(dies) != 1 or len(rots) != 1:
        told = ", ".join(repr(certificate.name) for certificate in chain[FAMILY:])
        raise GpuEvidenceError(GpuCode.UNKNOWN_DEVICE, f"the names {told} are of no one device")
    serial = chain[CHIP].serial
    rot = names.rots.get(serial[0]) if len(serial) == PDI_BYTES + 1 else None
    switch = claimed is DeviceClass.NVSWITCH
    said = Rot.SWITCH if switch else Rot(parts[CHIP - FAMILY]["rot"].lower())
    if rot is None or rot is not said or serial[1:] in _NO_PDI:
        raise GpuEvidenceError(
            GpuCode.SERIAL_NOT_A_PDI,
            f"the chip's certificate has serial {serial.hex()}, of which no PDI can be read",
        )
    return Device(
        device_class=claimed,
        die=parts[PROVISIONER - FAMILY]["die"],
        pdi=serial[1:].hex(),
        rot=rot,
    )


def device_info(chain: Sequence[Certificate]) -> str | None:
    """Return the signer's DMTF device info, e.g. ``NVIDIA:GH100:48B02D51C9C1070B``, or None.

    Raises:
        GpuEvidenceError: `chain-malformed` when it is stated and is no short ASCII text.
    """
    try:
        names = chain[SIGNER].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    for name in names:
        if isinstance(name, x509.OtherName) and name.type_id == _DEVICE_INFO:
            raw = der.only(name.value, der.UTF8)
            if not _INFO_TEXT.fullmatch(raw):
                raise GpuEvidenceError(
                    GpuCode.CHAIN_MALFORMED, "device info is no short ASCII text"
                )
            return raw.decode("ascii")
    return None


def stated_firmware(chain: Sequence[Certificate]) -> StatedFirmware | None:
    """Return what the signer's certificate states of its firmware, or None.

    Raises:
        GpuEvidenceError: `chain-malformed` when it states it in no known form.
    """
    for oid, read in ((_HOPPER_FWID, _hopper), (_TCB_INFO, _tcb_info)):
        try:
            value = chain[SIGNER].extensions.get_extension_for_oid(oid).value
        except x509.ExtensionNotFound:
            continue
        if isinstance(value, x509.UnrecognizedExtension):
            return read(value.value)
    return None


def _hopper(raw: bytes) -> StatedFirmware:
    """Read SEQUENCE { 1, SubjectPublicKeyInfo of L4, FWID }."""
    members = list(der.elements(der.only(raw, der.SEQUENCE)))
    if len(members) != _HOPPER_MEMBERS or members[0].whole != b"\x02\x01\x01":
        raise GpuEvidenceError(GpuCode.CHAIN_MALFORMED, "a composite device id of another form")
    return StatedFirmware(form="hopper", fwid=_fwid(members[2].whole), chip_spki=members[1].whole)


def _tcb_info(raw: bytes) -> StatedFirmware:
    """Read the first of the FWIDs in a DiceTcbInfo."""
    for member in der.elements(der.only(raw, der.SEQUENCE)):
        if member.tag == _FWID_LIST:
            first = next(der.elements(member.content), None)
            if first is not None:
                return StatedFirmware(form="tcbinfo", fwid=_fwid(first.whole), chip_spki=None)
    raise GpuEvidenceError(GpuCode.CHAIN_MALFORMED, "TCB info without a firmware id")


def _fwid(raw: bytes) -> bytes:
    members = list(der.elements(der.only(raw, der.SEQUENCE)))
    tags = [member.tag for member in members]
    if tags != [der.OID, der.OCTET_STRING] or members[0].content != _SHA384:
        raise GpuEvidenceError(GpuCode.CHAIN_MALFORMED, "a firmware id that is not SHA-384")
    if len(members[1].content) != DIGEST_BYTES:
        raise GpuEvidenceError(GpuCode.CHAIN_MALFORMED, "a firmware id that is not 48 bytes")
    return members[1].content
