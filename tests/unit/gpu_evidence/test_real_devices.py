"""Evidence of real devices: what an independent verifier found, field by field."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.verification import PolicyBuilder, Store

from chipledger_audit.gpu_check import check_pieces
from chipledger_audit.gpu_files import read_evidence
from chipledger_audit.verify_cli import main
from chipledger_evidence.gpu import fields
from chipledger_evidence.gpu.chain import ROOT, Certificate, read_chain
from chipledger_evidence.gpu.device import DeviceClass, class_of, stated_firmware
from chipledger_evidence.gpu.facts import EvidenceFacts, Fact, Level, level
from chipledger_evidence.gpu.report import parse_report
from chipledger_evidence.gpu.roots import NVIDIA
from chipledger_evidence.gpu.verify import verify_evidence
from chipledger_evidence.gpu.witness import Witness, cross_witness
from chipledger_testing.gpu_cases import Case, case, cases
from chipledger_testing.gpu_pki import NOW

pytestmark = pytest.mark.shared

IN_WORDS = {"case", "files", "note", "why_not"}
HGX = "gpu/hgx-8gpu-4switch-590.12/"


def facts_of(each: Case) -> EvidenceFacts:
    """Return the facts, with the nonce that the case names."""
    nonce = each.nonce if each.report is not None else None
    return verify_evidence(each.report, each.chain, nonce=nonce, pins=NVIDIA, now=NOW)


def of_chain(chain: tuple[Certificate, ...], facts: EvidenceFacts) -> dict[str, Any]:
    """Return what the chain shows, in the words of expected.json."""
    root, l2, l3, l4, leaf = chain
    return {
        "l2": l2.name,
        "l3": l3.name,
        "l4": l4.name,
        "leaf": leaf.name,
        "l4_serial": l4.serial.hex(),
        "pdi": f"0x{facts.pdi}",
        "device_info": facts.device_info,
        "ueid": facts.ueid,
        "l4_spki_sha256": l4.spki_sha256.hex(),
        "leaf_spki_sha256": leaf.spki_sha256.hex(),
        "root_spki_sha256": root.spki_sha256.hex(),
        "root_cert_sha256": root.cert.fingerprint(hashes.SHA256()).hex(),
        "chain_signatures_ok": facts.chain is Fact.PASS,
        "redfish_chassis_serial": f"0x{(facts.pdi or '').upper()}",
        "order_in_file": "leaf first",
    }


def of_report(
    data: bytes, chain: tuple[Certificate, ...], facts: EvidenceFacts, said: str | None
) -> dict[str, Any]:
    """Return what the report shows, in the words of expected.json."""
    report = parse_report(data)
    opaque = report.opaque
    stated = stated_firmware(chain)
    assert stated is not None
    in_hex = {"gpu_info": 4, "board_id": 14, "nvdec0": 11, "ppcie_status": 21}
    seen = opaque.get(22, b"")
    return {
        "report_sha256": hashlib.sha256(data).hexdigest(),
        "report_len": len(data),
        "trailing": len(data) - len(report.signed) - len(report.signature),
        "signature": facts.signature is Fact.PASS,
        "nonce": report.nonce.hex(),
        "nonce_match": report.nonce.hex() == said,
        "driver": facts.driver,
        "vbios": facts.vbios,
        "project": facts.project,
        "project_sku": facts.project_sku,
        "chip_sku": facts.chip_sku,
        "chip_info": facts.chip_info,
        "feature_flag": facts.feature,
        **{name: opaque[field].hex() for name, field in in_hex.items() if field in opaque},
        "opaque_version": int.from_bytes(opaque.get(fields.OPAQUE_VERSION, b""), "little"),
        "opaque_ids": list(report.opaque_order),
        # The independent verifier read field 22 little-endian for switches too.
        "switch_pdis": [f"0x{pdi}" for pdi in facts.switch_pdis] or [f"0x{seen[::-1].hex()}"],
        "switch_own_pdi": f"0x{seen.hex()}",
        "switch_seen_gpu_pdis": [f"0x{pdi}" for pdi in facts.gpu_pdis],
        "fwid_ext": stated.form,
        "fwid_match": stated.fwid == opaque.get(fields.FWID),
        "fwid_ext_l4key_match": stated.chip_spki == chain[3].spki,
    }


def test_every_case_gives_the_expected_value_of_every_field(shared: Path) -> None:
    """All cases, all fields: nothing of expected.json is left uncompared."""
    for each in cases(shared):
        facts, chain = facts_of(each), read_chain(each.chain)
        found = of_chain(chain, facts)
        if each.report is not None:
            found |= of_report(each.report, chain, facts, each.said_nonce)
        [piece] = [read_evidence(each.path)[each.place]]
        verdict = check_pieces([piece], nonce=None, pins=NVIDIA, now=NOW)
        found["accept_as_gpu"] = verdict.genuine
        wanted = {key: value for key, value in each.expected.items() if key not in IN_WORDS}
        assert {key: found[key] for key in wanted} == wanted, each.name


def test_every_gpu_with_a_report_is_chip_signed_over_its_nonce(shared: Path) -> None:
    """What is accepted is worth something, and what is refused nothing, but for switches."""
    for each in cases(shared):
        accepted = each.expected["accept_as_gpu"] and each.report is not None
        facts = facts_of(each)
        if facts.device_class is DeviceClass.NVSWITCH:
            assert level(facts) is Level.WITNESS, each.name
        else:
            assert level(facts) is (Level.CHIP_SIGNED if accepted else Level.NONE), each.name


def test_firmware_is_stated_or_said_not_to_be(shared: Path) -> None:
    """A report of before 550 states no firmware id, which is not a failure."""
    old = facts_of(case(shared, "gpu/gh100-545.00"))
    new = facts_of(case(shared, "gpu/gh100-550.90.07"))
    assert (old.firmware, new.firmware) == (Fact.NOT_STATED, Fact.PASS)


def test_command_exits_as_expected(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 for a path that holds genuine GPU evidence alone, with or without its nonce; else 1."""
    by_path: dict[Path, list[Case]] = {}
    for each in cases(shared):
        by_path.setdefault(each.path, []).append(each)
    for path, held in by_path.items():
        accepted = all(each.expected["accept_as_gpu"] for each in held)
        assert main(["gpu-evidence", str(path), "--json"]) == int(not accepted), path
        said = json.loads(capsys.readouterr().out)
        assert {piece["facts"]["nonce"] for piece in said["pieces"]} == {"not-checked"}
        if held[0].report is not None:
            nonce = held[0].nonce.hex()
            assert main(["gpu-evidence", str(path), "--nonce", nonce]) == int(not accepted), path
            assert main(["gpu-evidence", str(path), "--nonce", "00" * 32]) == 1, path
            assert "spdm-nonce-mismatch" in capsys.readouterr().out


def test_every_flip_of_one_byte_of_a_real_report_is_refused(shared: Path) -> None:
    """No byte of a report can be changed and the report still be believed."""
    each = case(shared, "gpu/gh100-580.159.03-same-chip-as-570.124.03")
    report = bytearray(each.report or b"")
    assert len(report) > 4000
    for place in range(len(report)):
        report[place] ^= 1 << place % 8
        facts = verify_evidence(bytes(report), each.chain, nonce=None, pins=NVIDIA, now=NOW)
        report[place] ^= 1 << place % 8
        assert facts.signature is Fact.FAIL, place


def test_trailing_byte_of_a_published_sample_is_refused(shared: Path) -> None:
    """A byte behind the signature is nobody's statement."""
    each = case(shared, "gpu/gh100-550.90.07")
    facts = verify_evidence(
        (each.report or b"") + b"\n", each.chain, nonce=each.nonce, pins=NVIDIA, now=NOW
    )
    assert facts.signature is Fact.FAIL
    assert [reason.code for reason in facts.reasons] == ["spdm-trailing-bytes"]


def test_report_with_the_chain_of_another_chip_is_refused(shared: Path) -> None:
    """A report is worth something with its own chip's chain only."""
    one, other = (case(shared, f"{HGX}gpu_evidence.json[{place}]") for place in (0, 1))
    facts = verify_evidence(one.report, other.chain, nonce=one.nonce, pins=NVIDIA, now=NOW)
    assert facts.signature is Fact.FAIL


def test_one_chip_with_two_firmwares_is_one_chip(shared: Path) -> None:
    """The PDI stays, and the factory key; the leaf's number that NVIDIA calls `ueid` does not."""
    one = facts_of(case(shared, "gpu/gh100-570.124.03"))
    two = facts_of(case(shared, "gpu/gh100-580.159.03-same-chip-as-570.124.03"))
    assert (one.pdi, one.l4_key, one.device_info) == (two.pdi, two.l4_key, two.device_info)
    assert one.ueid != two.ueid


def test_every_switch_of_a_board_agrees_with_its_gpus(shared: Path) -> None:
    """Eight GPUs, four switches, one nonce: each side names the other, wholly."""
    facts = [facts_of(each) for each in cases(shared) if each.name.startswith(HGX)]
    gpus = [each.pdi for each in facts if each.device_class is DeviceClass.GPU]
    result = cross_witness(facts, gpus)
    assert (result.outcome, len(result.switches)) == (Witness.AGREE, 4)
    assert result.chips == tuple(sorted(filter(None, gpus)))


def test_a_gpu_left_out_is_named_by_every_switch(shared: Path) -> None:
    """The host that hides any one of eight is found out by four signatures."""
    facts = [facts_of(each) for each in cases(shared) if each.name.startswith(HGX)]
    gpus = [each for each in facts if each.device_class is DeviceClass.GPU]
    switches = [each for each in facts if each.device_class is DeviceClass.NVSWITCH]
    for hidden in gpus:
        left = [each for each in gpus if each is not hidden]
        result = cross_witness([*left, *switches], [each.pdi for each in left])
        assert result.outcome is Witness.HIDDEN_CHIP
        assert [(chip.pdi, len(chip.named_by)) for chip in result.hidden] == [(hidden.pdi, 4)]


def test_library_path_builder_accepts_the_chains_that_are_accepted(shared: Path) -> None:
    """`cryptography`'s own validation of the path comes to the same answer for every GPU."""
    for each in cases(shared):
        if facts_of(each).device_class is DeviceClass.BOARD:
            continue  # it refuses these for how their dates are written
        root, l2, l3, l4, leaf = (held.cert for held in read_chain(each.chain))
        verifier = PolicyBuilder().store(Store([root])).time(NOW).build_client_verifier()
        assert verifier.verify(leaf, [l4, l3, l2]).chain == [leaf, l4, l3, l2, root]
        assert facts_of(each).chain is Fact.PASS


def test_provisioners_that_ship_with_the_driver_are_of_gpus(shared: Path) -> None:
    """Each factory authority of NVIDIA's own driver is one that the class rule knows."""
    one = read_chain(case(shared, "gpu/gh100-550.90.07").chain)
    found = sorted((shared / "evidence" / "roots").glob("*_l3_cert.pem"))
    assert len(found) == 10
    for path in found:
        [name] = x509.load_pem_x509_certificate(path.read_bytes()).subject.get_attributes_for_oid(
            x509.oid.NameOID.COMMON_NAME
        )
        assert class_of([*one[:2], _named(one[2], str(name.value)), *one[3:]]) is DeviceClass.GPU


def test_pinned_root_is_the_published_one(shared: Path) -> None:
    """The pin is of the root key that NVIDIA publishes and that every sample ends in."""
    [pin] = NVIDIA.roots
    listed = json.loads((shared / "evidence" / "expected.json").read_text("utf-8"))
    assert pin.spki_sha256 == listed["pins"]["root_spki_sha256"]
    for each in cases(shared):
        assert read_chain(each.chain)[ROOT].spki_sha256.hex() == pin.spki_sha256


def _named(certificate: Certificate, name: str) -> Certificate:
    return Certificate(
        name=name,
        serial=certificate.serial,
        key=certificate.key,
        spki=certificate.spki,
        spki_sha256=certificate.spki_sha256,
        cert=certificate.cert,
        extensions=certificate.extensions,
    )
