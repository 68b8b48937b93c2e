"""Reference manifests: believed by their signature alone, compared measurement by measurement."""

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree
from signxml.algorithms import DigestAlgorithm

from chipledger_audit.manifest_files import MAX_MANIFEST_BYTES, read_manifests
from chipledger_evidence.gpu.errors import GpuCode
from chipledger_evidence.gpu.facts import EvidenceFacts, Fact, Level, level
from chipledger_evidence.gpu.manifests import Firmware, Manifest, Unusable
from chipledger_evidence.gpu.roots import NVIDIA, NVIDIA_MANIFESTS
from chipledger_evidence.gpu.verify import verify_evidence
from chipledger_testing.gpu_pki import NOW, PKI, GpuMaker, Pki
from chipledger_testing.manifests import ManifestMaker

NONCE = bytes(range(32))
DRIVER, VBIOS = "NV_GPU_DRIVER_GH100_590.12.xml", "NV_GPU_VBIOS_G520_0200_885_9600A50001.swidtag"
NVDEC, OTHER = 35, hashlib.sha384(b"other").digest()


def block(index: int) -> bytes:
    """Return what a test device measures at an index of manifests."""
    return hashlib.sha384(bytes((index + 1,))).digest()


DRIVER_MAKER = ManifestMaker(
    version="590.12", golden={7: [OTHER, block(7)], 21: [block(21)], NVDEC: [OTHER]}
)
VBIOS_MAKER = ManifestMaker(
    version="96.00.A5.00.01", golden={1: [block(1)], 2: [OTHER]}, inactive=[2]
)
BOTH = {DRIVER: DRIVER_MAKER.signed(), VBIOS: VBIOS_MAKER.signed()}


def judged(files: Mapping[str, bytes], maker: GpuMaker | None = None) -> EvidenceFacts:
    """Return the facts of a device beside stored manifests."""
    report, chain = (maker or GpuMaker(1)).evidence(NONCE)
    manifests = read_manifests(files, pins=PKI.pins, now=NOW)
    return verify_evidence(report, chain, nonce=NONCE, pins=PKI.pins, now=NOW, manifests=manifests)


def why(data: bytes, pki: Pki = PKI) -> str:
    """Return why a file is not believed."""
    [one] = read_manifests({DRIVER: data}, pins=pki.pins, now=NOW).values()
    assert isinstance(one, Unusable)
    return one.why


def test_firmware_whose_every_measurement_is_in_signed_manifests_is_matched() -> None:
    """Any of the values listed for a number will do; inactive numbers are not compared.

    Neither is the one of an engine that the report says is off.
    """
    facts = judged(BOTH)

    assert (facts.measurements, level(facts)) == (Fact.PASS, Level.CHIP_SIGNED_FIRMWARE)
    assert facts.reasons == ()


def test_one_other_measurement_is_other_firmware() -> None:
    """The reason names it; the chip's own statement stays what it is."""
    other = replace(VBIOS_MAKER, golden={1: [OTHER], 3: [block(3)]})
    facts = judged({**BOTH, VBIOS: other.signed()})

    assert facts.measurements is Fact.FAIL
    [reason] = facts.reasons
    assert reason.code is GpuCode.MEASUREMENT_MISMATCH
    assert "1 of 4" in reason.detail
    assert reason.detail.endswith("numbers 1")


def test_engine_that_runs_is_compared() -> None:
    """Only where the report says that it is off, its number is left out."""
    running = GpuMaker(1, fields=((11, b"\xaa"),))

    assert judged(BOTH, running).measurements is Fact.FAIL


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "0 measurements equal"),
        ({DRIVER: BOTH[DRIVER]}, "2 measurements equal; NV_GPU_VBIOS_G520_0200_885_9600A50001"),
        ({**BOTH, VBIOS: BOTH[DRIVER]}, "it is for 590.12"),
        ({**BOTH, VBIOS: replace(VBIOS_MAKER, product="GB100").signed()}, "it is for GB100"),
        ({**BOTH, DRIVER: b"<xml/>"}, "certificates beside its signature"),
    ],
)
def test_what_is_missing_or_not_believed_leaves_the_fact_open(
    files: Mapping[str, bytes], words: str
) -> None:
    """Both manifests are needed; a name is only where to look."""
    facts = judged(files)

    assert (facts.measurements, level(facts)) == (Fact.NOT_CHECKED, Level.CHIP_SIGNED)
    [reason] = facts.reasons
    assert reason.code is GpuCode.MANIFEST_NOT_CHECKED
    assert words in reason.detail


def test_a_manifest_is_found_by_its_name_in_any_case() -> None:
    """And with any ending."""
    files = {name.lower().rpartition(".")[0] + ".rim": data for name, data in BOTH.items()}

    assert judged(files).measurements is Fact.PASS


def test_a_changed_value_breaks_the_signature() -> None:
    """Nothing is read that the signature does not cover."""
    changed = BOTH[DRIVER].replace(block(21).hex().encode(), OTHER.hex().encode())

    assert changed != BOTH[DRIVER]
    assert why(changed) == "its signature does not hold"


def test_a_signed_manifest_inside_another_says_nothing_for_the_outer_one() -> None:
    """Signature wrapping: the outer document is what would be read."""
    outer = replace(DRIVER_MAKER, golden={7: [OTHER]}).tag()
    outer.append(etree.fromstring(BOTH[DRIVER]))

    assert why(etree.tostring(outer)) == "its signature does not hold"


def test_another_root_is_not_believed() -> None:
    """Its key is pinned, not its name."""
    assert "not pinned" in why(BOTH[DRIVER], Pki(seed="another maker"))


def test_a_signer_out_of_date_is_not_believed() -> None:
    """The reason says until when it held."""
    old = DRIVER_MAKER.until(NOW - timedelta(days=1)).signed()

    assert f"holds until {(NOW - timedelta(days=1)).date()}" in why(old)


def test_a_certificate_is_used_as_it_says() -> None:
    """An authority signs no manifest, and a signer makes no authority."""
    signer, authority, root = DRIVER_MAKER.links
    by_authority = replace(DRIVER_MAKER, links=(authority, root))
    beneath = replace(signer, name="Beneath", issuer=signer)
    by_signer = replace(DRIVER_MAKER, links=(beneath, signer, authority, root))

    assert "may not be used so" in why(by_authority.signed())
    assert "may not be used so" in why(by_signer.signed())


def test_a_chain_that_skips_a_certificate_does_not_hold() -> None:
    """Each is issued by the next."""
    signer, _, root = DRIVER_MAKER.links

    assert why(replace(DRIVER_MAKER, links=(signer, root)).signed()) == (
        "its signer's chain does not hold"
    )


def test_another_digest_than_sha384_is_refused() -> None:
    """One form of signature is taken."""
    weak = replace(DRIVER_MAKER, digest=DigestAlgorithm.SHA256)

    assert why(weak.signed()) == "its signature does not hold"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no xml", "not XML"),
        (b"<a>" + b" " * MAX_MANIFEST_BYTES + b"</a>", "more than"),
        (
            b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]><a>&e;</a>',
            "certificates beside its signature",
        ),
        (replace(DRIVER_MAKER, golden={}).signed(), "names no measurements"),
        (replace(DRIVER_MAKER, golden={7: [b"short"]}).signed(), "no SHA-384"),
        (replace(DRIVER_MAKER, golden={7: []}).signed(), "with 0 values"),
        (replace(DRIVER_MAKER, golden={999: [OTHER]}).signed(), "measurement 999"),
    ],
)
def test_malformed_files_are_said_to_be_so(data: bytes, words: str) -> None:
    """None of them stops a check."""
    assert words in why(data)


def test_without_the_extra_a_manifest_is_not_believed(tmp_path: Path) -> None:
    """And the reason says what to install."""
    (tmp_path / "m.xml").write_bytes(BOTH[DRIVER])
    code = (
        "import sys; sys.modules['signxml'] = None\n"
        "from datetime import UTC, datetime\nfrom pathlib import Path\n"
        "from chipledger_audit.manifest_files import read_manifests\n"
        "from chipledger_evidence.gpu.roots import NVIDIA\n"
        "data = {'m.xml': Path(sys.argv[1]).read_bytes()}\n"
        "print(read_manifests(data, pins=NVIDIA, now=datetime.now(UTC))['m.xml'].why)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "m.xml")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert said.strip() == "its signature needs chipledger[manifests]"


def test_manifests_are_named_as_the_maker_names_them() -> None:
    """Hopper by its die, newer ones by die or chip name."""
    hopper = Firmware(
        die="GH100",
        driver="550.144.03",
        chip_info=None,
        board=("1010", "0200", "882"),
        vbios="96.00.5E.00.01",
        measurements=(),
        nvdec_off=False,
    )
    newer = replace(
        hopper,
        die="GB202",
        driver="595.58.03",
        chip_info="GB202",
        board=(None,) * 3,
        vbios=None,
    )

    assert list(hopper.wanted()) == [
        "NV_GPU_DRIVER_GH100_550.144.03",
        "NV_GPU_VBIOS_1010_0200_882_96005E0001",
    ]
    assert list(newer.wanted()) == ["NV_GPU_CC_DRIVER_GB202_595.58.03"]


@pytest.mark.shared
def test_real_manifests_hold_under_the_makers_root_and_meet_a_real_report(shared: Path) -> None:
    """Of a prototype's VBIOS eight of twelve measurements equal the released one of its version.

    Both signers' certificates held at the start of 2025; one has ended since.
    """
    files = {path.name: path.read_bytes() for path in (shared / "evidence" / "rims").iterdir()}
    then = datetime(2025, 1, 15, tzinfo=UTC)
    manifests = read_manifests(files, pins=NVIDIA_MANIFESTS, now=then)
    folder = shared / "evidence" / "gpu" / "gh100-545.00"
    facts = verify_evidence(
        bytes.fromhex((folder / "report.hex").read_text()),
        (folder / "chain.pem").read_bytes(),
        nonce=None,
        pins=NVIDIA,
        now=then,
        manifests=manifests,
    )

    assert all(isinstance(one, Manifest) for one in manifests.values())
    assert [len(one.golden) for one in manifests.values() if isinstance(one, Manifest)] == [21, 12]
    assert facts.measurements is Fact.FAIL
    assert "4 of 12 measurements" in facts.reasons[-1].detail
    later = read_manifests(files, pins=NVIDIA_MANIFESTS, now=datetime(2026, 11, 1, tzinfo=UTC))
    assert isinstance(later["NV_GPU_VBIOS_1010_0200_882_96005E0001.swidtag"], Unusable)
