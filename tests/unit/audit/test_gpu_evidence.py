"""`chipledger-verify gpu-evidence` reads what devices' tools write and says what it shows."""

import base64
import json
from pathlib import Path

import pytest

from chipledger_audit.gpu_check import GpuCheck, check_pieces, describe_gpu
from chipledger_audit.gpu_files import FilesError, Piece, read_evidence, read_stored
from chipledger_audit.verify_cli import main
from chipledger_evidence.gpu.facts import Fact
from chipledger_evidence.gpu.witness import Witness
from chipledger_testing.gpu_pki import NOW, PKI, GpuMaker, Shape, hgx

NONCE = bytes(range(32))
GPU = GpuMaker(1)


def folder(path: Path, maker: GpuMaker = GPU) -> Path:
    """Write a device's evidence as a folder."""
    report, chain = maker.evidence(NONCE)
    path.mkdir(exist_ok=True)
    (path / "report.hex").write_text(report.hex() + "\n")
    (path / "chain.pem").write_bytes(chain)
    return path


def listed(path: Path, *makers: GpuMaker) -> Path:
    """Write devices' evidence as NVIDIA's list."""
    entries = [
        {
            "arch": "HOPPER",
            "nonce": NONCE.hex(),
            "evidence": base64.b64encode(report).decode(),
            "certificate": base64.b64encode(chain).decode(),
        }
        for report, chain in (maker.evidence(NONCE) for maker in makers)
    ]
    path.write_text(json.dumps(entries))
    return path


def redfish(path: Path, maker: GpuMaker = GPU) -> Path:
    """Write a device's chain as a Redfish certificate resource."""
    chain = maker.chain().decode()
    path.write_text(json.dumps({"CertificateString": chain, "CertificateType": "PEMchain"}))
    return path


def checked(path: Path, nonce: bytes | None = None) -> GpuCheck:
    """Return what the file shows to who trusts the tests' maker."""
    return check_pieces(read_evidence(path), nonce=nonce, pins=PKI.pins, now=NOW)


def words(path: Path, nonce: bytes | None = None) -> str:
    """Return what a person is told."""
    return "\n".join(describe_gpu(checked(path, nonce)))


def test_folder_is_explained_step_by_step(tmp_path: Path) -> None:
    """Seven numbered steps, the device, and a conclusion that claims no more than was shown."""
    text = words(folder(tmp_path / "e"), NONCE)
    assert GPU.pdi in text
    for number, fact in enumerate(("chain", "class", "signature", "nonce", "firmware"), start=1):
        assert f"{number}. pass" in text
        assert f" {fact}: " in text
    assert "signed by a genuine GPU over this nonce (chip-signed)" in text
    assert "1 of 1 genuine GPU evidence" in text


def test_nonce_that_is_not_given_is_said_not_to_be_checked(tmp_path: Path) -> None:
    """It is genuine, and when it was made is not known."""
    path = folder(tmp_path / "e")
    assert checked(path).genuine
    assert "4. not-checked" in words(path)
    assert "when is not known" in words(path)


def test_another_nonce_is_refused(tmp_path: Path) -> None:
    """Old evidence is genuine no longer when a nonce is asked for."""
    check = checked(folder(tmp_path / "e"), bytes(32))
    assert not check.genuine
    assert "spdm-nonce-mismatch" in "\n".join(describe_gpu(check))


def test_list_is_genuine_when_every_entry_is(tmp_path: Path) -> None:
    """One that is not spoils it."""
    gpus, switches = hgx()
    assert checked(listed(tmp_path / "a.json", *gpus)).genuine
    mixed = checked(listed(tmp_path / "b.json", *gpus, switches[0]))
    assert not mixed.genuine
    assert [piece.genuine for piece in mixed.pieces] == [True] * 8 + [False]


def test_output_of_the_collecting_tool_is_read(tmp_path: Path) -> None:
    """The list stands under `evidences` there."""
    entries = json.loads(listed(tmp_path / "a.json", GPU).read_text())
    (tmp_path / "b.json").write_text(json.dumps({"evidences": entries, "result_code": 0}))
    assert checked(tmp_path / "b.json", NONCE).genuine


def test_switches_among_it_are_heard(tmp_path: Path) -> None:
    """A list of a whole board says whether its switches name other GPUs."""
    gpus, switches = hgx()
    whole = checked(listed(tmp_path / "a.json", *gpus, *switches), NONCE)
    assert whole.witness is not None
    assert whole.witness.outcome is Witness.AGREE
    text = words(listed(tmp_path / "b.json", *gpus[1:], *switches), NONCE)
    assert f"chip {gpus[0].pdi} is not here" in text
    assert "signed by a genuine NVSwitch: a witness, not a GPU" in text


def test_redfish_resource_is_a_chain_only(tmp_path: Path) -> None:
    """Genuine, and no proof of presence; a nonce that is asked for cannot be answered by it."""
    path = redfish(tmp_path / "c.json", GpuMaker(1, Shape.BLACKWELL_FSP))
    assert checked(path).genuine
    assert "does not show where the GPU is" in words(path)
    assert not checked(path, NONCE).genuine
    assert not checked(redfish(tmp_path / "b.json", GpuMaker(1, Shape.EROT))).genuine


def test_empty_report_is_a_cut_report(tmp_path: Path) -> None:
    """A folder without a word in its report is no chain-only form."""
    path = folder(tmp_path / "e")
    (path / "report.hex").write_text("\n")
    check = checked(path)
    assert not check.genuine
    assert check.pieces[0].facts.signature is Fact.FAIL


def test_nonce_beside_the_evidence_is_compared_and_proves_nothing(tmp_path: Path) -> None:
    """The file's own word on its nonce leaves the fact open."""
    path = listed(tmp_path / "a.json", GPU)
    assert "nonce in file    the same" in words(path)
    assert checked(path).pieces[0].facts.nonce is Fact.NOT_CHECKED
    path.write_text(path.read_text().replace(NONCE.hex(), "00" * 32))
    assert "nonce in file    another one" in words(path)


def test_device_of_another_maker_exits_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command trusts the shipped roots alone; nothing on its command line changes that."""
    assert main(["gpu-evidence", str(folder(tmp_path / "e")), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["genuine"] is False
    assert said["pieces"][0]["facts"]["chain"] == "fail"
    assert said["pieces"][0]["facts"]["reasons"][0]["code"] == "chain-wrong-root"
    assert said["pieces"][0]["level"] == "none"


def test_stored_lists_and_manifests_are_read_from_folders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each by its name; what is in them is judged as facts of their own."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "l1.crl").write_bytes(b"no list")
    arguments = ["gpu-evidence", str(folder(tmp_path / "e")), "--crls", str(tmp_path / "lists")]
    main([*arguments, "--manifests", str(tmp_path / "lists")])
    text = capsys.readouterr().out
    assert "revocation-unknown" in text
    assert "manifest-not-checked" in text
    assert list(read_stored(tmp_path / "lists")) == ["l1.crl"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[1]",
        "nonsense",
        '[{"evidence":"AA=="}]',
        '[{"evidence":"*","certificate":""}]',
        '{"evidences":[]}',
        '{"CertificateString":1}',
        "[" * 100_000,
        "\0",
    ],
)
def test_file_in_no_known_form_exits_2(tmp_path: Path, text: str) -> None:
    """A file that is no evidence is the caller's mistake, not a verdict."""
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(FilesError):
        read_evidence(path)
    assert main(["gpu-evidence", str(path)]) == 2


@pytest.mark.parametrize("text", ["zz", "123", "é"])
def test_report_that_is_not_hexadecimal_exits_2(tmp_path: Path, text: str) -> None:
    """So is a folder whose report is no hexadecimal text."""
    (folder(tmp_path / "e") / "report.hex").write_text(text)
    assert main(["gpu-evidence", str(tmp_path / "e")]) == 2


def test_missing_path_exits_2(tmp_path: Path) -> None:
    """And one that is not there, or a folder without its two files."""
    assert main(["gpu-evidence", str(tmp_path / "none")]) == 2
    assert main(["gpu-evidence", str(tmp_path)]) == 2


@pytest.mark.parametrize("nonce", ["", "00", "zz" * 32, "00" * 33])
def test_nonce_that_is_none_exits_2(tmp_path: Path, nonce: str) -> None:
    """A nonce is 32 bytes, in hexadecimal."""
    with pytest.raises(SystemExit) as left:
        main(["gpu-evidence", str(tmp_path), "--nonce", nonce])
    assert left.value.code == 2


def test_huge_file_exits_2(tmp_path: Path) -> None:
    """Files are bounded before they are read."""
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(9 * 1024 * 1024)
    assert main(["gpu-evidence", str(tmp_path / "huge")]) == 2


def test_words_of_a_device_cannot_write_to_the_terminal() -> None:
    """Names in certificates are printed as text, control characters as question marks."""
    bad = GPU.chain().replace(b"-----END", b"\x1b[2J-----END", 1)
    check = check_pieces(
        [Piece(name="e", report=None, chain=bad)], nonce=None, pins=PKI.pins, now=NOW
    )
    assert "\x1b" not in "\n".join(describe_gpu(check))
