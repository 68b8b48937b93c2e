"""The facts about one device's evidence, and what they are worth together.

Never one "valid": each fact says what was and what was not shown. They are independent: a chain
can be good and name a switch, a signature can be good under a chain that nobody trusts.
"""

from enum import StrEnum
from typing import Annotated

import msgspec

from chipledger_evidence.codec import Wire
from chipledger_evidence.gpu.device import DeviceClass, Rot
from chipledger_evidence.gpu.errors import GpuCode
from chipledger_evidence.ids import Digest, whole
from chipledger_evidence.inventory import Text

MOST_PDIS = 1024
Pdi = Annotated[str, whole("[0-9a-f]{16}")]
"""16 lower-case hex digits, as `Chip.pdi` of the inventory."""


class Fact(StrEnum):
    """What became of one question."""

    PASS = "pass"  # noqa: S105 - an answer, not a secret
    FAIL = "fail"
    NOT_CHECKED = "not-checked"
    NOT_STATED = "not-stated"  # the device's software does not say it


class Level(StrEnum):
    """What one piece of evidence is worth."""

    NONE = "none"
    CHIP_SIGNED = "chip-signed"
    CHIP_SIGNED_FIRMWARE = "chip-signed-firmware"
    WITNESS = "witness"  # an NVSwitch: says what hangs on it, and is never a chip


class Reason(Wire, frozen=True, kw_only=True):
    """Why one fact is not `pass`."""

    fact: Annotated[str, whole("[a-z]{1,16}")]
    code: GpuCode
    detail: Text


class EvidenceFacts(Wire, frozen=True, kw_only=True):
    """What one device's evidence shows.

    Attributes:
        device_class: class that all names of the chain agree on, else `unknown`; meaningless
            unless `chain` passed.
        chain: five certificates of the right algorithms and usages lead to a pinned root key.
        class_: they name a GPU at every level and a PDI. A switch fails here: see `level`.
        signature: the signing key of the chain signed exactly the report's bytes.
        nonce: the report answers the nonce that was asked with.
        firmware: firmware id in report and certificate are the same.
        revocation: stored revocation lists cover the chain and revoke nothing of it.
        measurements: the measurements equal signed reference manifests.
        reasons: why facts are not `pass`, in the order in which they were judged.
        pdi: 64-bit id of the chip, from its factory certificate. Count chips by this alone.
        rot: root of trust that answered: ``gsp``, ``fsp`` or ``switch``.
        die: e.g. ``GH100``; GH100 is H100, H200, H800 and GH200 alike.
        l4_key: SHA-256 of the chip's factory key, base64url.
        device_info: maker, die and EUI-64 from the signer's certificate.
        ueid: NVIDIA's claim of that name, decimal; changes with the firmware, no chip id.
        report_nonce: the nonce in the report, base64url.
        driver: driver version in the report; second-class, as the next five.
        vbios: VBIOS version as NVML writes it.
        project: board project, e.g. ``G520``.
        project_sku: its variant.
        chip_sku: e.g. ``885``.
        chip_info: chip name in the report, from driver 595.
        feature: ``spt``, ``mpt`` or ``ppcie``.
        switch_pdis: switches that a GPU sees on its links.
        gpu_pdis: GPUs that a switch sees on its ports.
    """

    device_class: DeviceClass
    chain: Fact
    class_: Fact = msgspec.field(name="class")
    signature: Fact
    nonce: Fact
    firmware: Fact
    revocation: Fact
    measurements: Fact
    reasons: Annotated[tuple[Reason, ...], msgspec.Meta(max_length=16)] = ()
    pdi: Pdi | None = None
    rot: Rot | None = None
    die: Text | None = None
    l4_key: Digest | None = None
    device_info: Text | None = None
    ueid: Text | None = None
    report_nonce: Digest | None = None
    driver: Text | None = None
    vbios: Text | None = None
    project: Text | None = None
    project_sku: Text | None = None
    chip_sku: Text | None = None
    chip_info: Text | None = None
    feature: Text | None = None
    switch_pdis: Annotated[tuple[Pdi, ...], msgspec.Meta(max_length=MOST_PDIS)] = ()
    gpu_pdis: Annotated[tuple[Pdi, ...], msgspec.Meta(max_length=MOST_PDIS)] = ()

    def of(self, fact: str) -> Fact:
        """Return the fact of that wire name, such as ``class``."""
        value: Fact = getattr(self, "class_" if fact == "class" else fact)
        return value

    @property
    def failure(self) -> Reason | None:
        """Why the first fact that failed did, or None when none failed."""
        return next((each for each in self.reasons if self.of(each.fact) is Fact.FAIL), None)


FACTS = ("chain", "class", "signature", "nonce", "firmware", "revocation", "measurements")


def level(facts: EvidenceFacts) -> Level:
    """Return what the facts together are worth: steps 1 to 8 of docs/EVIDENCE.md, all of them.

    A nonce that was not checked is worth nothing: anybody can keep an old report.
    """
    proven = (facts.chain, facts.signature, facts.nonce)
    contradicted = Fact.FAIL in (facts.firmware, facts.revocation)
    if contradicted or any(fact is not Fact.PASS for fact in proven):
        return Level.NONE
    if facts.device_class is DeviceClass.NVSWITCH:
        return Level.WITNESS
    if facts.device_class is not DeviceClass.GPU or facts.class_ is not Fact.PASS:
        return Level.NONE
    matched = facts.measurements is Fact.PASS
    return Level.CHIP_SIGNED_FIRMWARE if matched else Level.CHIP_SIGNED
