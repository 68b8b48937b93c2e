"""`chipledger-verify ear` explains an attestation result, and exits with what it is worth."""

import json
from pathlib import Path
from typing import Any

import pytest

from chipledger_audit.verify_cli import main
from chipledger_evidence.appraisal.ear import Issue, ear_claims, write_ear
from chipledger_evidence.appraisal.policy import shipped_policy
from chipledger_evidence.appraisal.results import HostResult
from chipledger_evidence.codec import b64url_encode, encode_canonical
from chipledger_evidence.enrolment import KeyTier
from chipledger_testing.appraisals import AT_S, chip, evidence, host
from chipledger_testing.ear_vectors import ear_vectors
from chipledger_testing.keys import SeededSigner

SIGNER = SeededSigner("verifier")
NONCE = bytes(range(16))
VECTORS = ear_vectors()


def files(
    folder: Path,
    result: HostResult | str,
    *,
    signer: SeededSigner = SIGNER,
    nonce: bytes | None = NONCE,
    expires_s: int | None = None,
) -> list[str]:
    """Write result and key and return the arguments that name them."""
    text = result
    if isinstance(result, HostResult):
        issue = Issue(at_s=AT_S, build="test 1", nonce=nonce, expires_s=expires_s)
        text = write_ear(result, shipped_policy(), issue=issue, signer=SIGNER)
    (folder / "result").write_text(str(text))
    (folder / "key").write_bytes(encode_canonical(signer.public.jwk))
    return ["ear", str(folder / "result"), "--key", str(folder / "key")]


def shown(arguments: list[str], capsys: pytest.CaptureFixture[str], *, status: int = 0) -> str:
    """Return what the command prints; it must exit with this status."""
    assert main(arguments) == status
    return capsys.readouterr().out


def test_a_driver_s_word_is_explained_as_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 0 says whose result it is, not that all is well."""
    text = shown(files(tmp_path, host([chip()])), capsys)
    assert "status    warning" in text
    assert text.index("\nhost: warning") < text.index("grade              G1")
    assert "sourced-data         32  from a source that attests nothing: the driver's word" in text
    assert "self-reported: the driver says so" in text
    assert "not checked: give --nonce" in text
    assert "verified" not in text


def test_a_chip_that_signed_is_explained_claim_by_claim(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Genuine hardware, and firmware that nothing was held against."""
    signed = host([chip(signed=evidence(measurements="not-checked"))], tier=KeyTier.TPM_EK)
    text = shown(files(tmp_path, signed), capsys)
    assert "hardware              2  genuine: the chip signed over the verifier's nonce" in text
    assert "executables           1  elements that the verifier does not know" in text
    assert "grade              G3" in text
    assert f"ni:///sha-256;{shipped_policy().digest}" in text


def test_the_nonce_that_was_asked_with_is_held_against_the_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A result for somebody else, or of yesterday, is refused."""
    arguments = files(tmp_path, host([chip()]))
    assert "the one given" in shown([*arguments, "--nonce", b64url_encode(NONCE)], capsys)
    other = [*arguments, "--nonce", b64url_encode(bytes(16))]
    assert "refused: ear-nonce-mismatch" in shown(other, capsys, status=1)
    none = files(tmp_path, host([chip()]), nonce=None)
    verdict = json.loads(shown([*none, "--nonce", "AAAAAAAAAAA", "--json"], capsys, status=1))
    assert (verdict["code"], verdict["nonce_checked"]) == ("ear-nonce-mismatch", True)


def test_a_result_whose_time_is_over_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever issued it said until when it may be used."""
    arguments = files(tmp_path, host([chip()]), expires_s=1)
    assert "ear-expired" in shown(arguments, capsys, status=1)
    shown(files(tmp_path, host([chip()]), expires_s=2**40), capsys)


def test_a_result_under_another_key_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing of what it says is shown."""
    arguments = files(tmp_path, host([chip()]), signer=SeededSigner("other"))
    assert shown(arguments, capsys, status=1).startswith("refused   bad-signature")


@pytest.mark.parametrize("row", VECTORS, ids=[row["description"] for row in VECTORS])
def test_results_of_both_claim_styles_are_explained_or_refused(
    row: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the code of the vectors, as text and as JSON."""
    arguments = files(tmp_path, row["ear"])
    status = 0 if row["verdict"] == "ok" else 1
    text = shown(arguments, capsys, status=status)
    verdict = json.loads(shown([*arguments, "--json"], capsys, status=status))
    assert (verdict["code"] or "ok") == row["verdict"]
    assert verdict["holds"] is (status == 0)
    assert status == 0 or row["verdict"] in text
    assert "Category" not in text


def test_a_stranger_s_text_steers_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Labels are the words of whoever wrote the result."""
    text = shown(files(tmp_path, host([chip("\x1b[2J\u202e\nstatus    affirming")])), capsys)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\nstatus    affirming" not in text


def test_half_a_character_and_a_huge_number_are_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON can write both; nothing else can."""
    issue = Issue(at_s=AT_S, build="BUILD")
    claims = json.dumps(ear_claims(host([chip()]), shipped_policy(), issue=issue))
    claims = claims.replace("BUILD", "\\ud800").replace(str(AT_S), "1" + "0" * 30)
    head = b64url_encode(b'{"alg":"ES256","typ":"eat+jwt"}')
    signed = f"{head}.{b64url_encode(claims.encode())}"
    signature = b64url_encode(SIGNER.sign(signed.encode()))
    arguments = files(tmp_path, f"{signed}.{signature}")
    assert "verifier  ?" in shown(arguments, capsys)
    assert json.loads(shown([*arguments, "--json"], capsys))["issued"] == 10**30


def test_a_key_with_further_members_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other verifiers write more into a JWK."""
    arguments = files(tmp_path, host([chip()]))
    members = json.loads((tmp_path / "key").read_text()) | {"use": "sig", "kid": "a"}
    (tmp_path / "key").write_text(json.dumps(members, indent=1))
    shown(arguments, capsys)


@pytest.mark.parametrize(
    "key", ["", "{}", "[]", '{"kty":"RSA","n":"AQAB","e":"AQAB"}', '{"kty":"EC","crv":"P-384"}']
)
def test_a_key_of_another_kind_is_refused(key: str, tmp_path: Path) -> None:
    """In one line, with a code."""
    arguments = files(tmp_path, host([chip()]))
    (tmp_path / "key").write_text(key)
    assert main(arguments) == 1


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "é", "a.b.c" * 1000])
def test_no_result_exits_without_a_traceback(text: str, tmp_path: Path) -> None:
    """Whatever the file holds, the answer is an exit status."""
    assert main(files(tmp_path, text)) in {1, 2}


def test_missing_files_and_wrong_arguments_exit_2(tmp_path: Path) -> None:
    """The caller's mistake, not a verdict."""
    arguments = files(tmp_path, host([chip()]))
    assert main(["ear", str(tmp_path / "none"), "--key", str(tmp_path / "key")]) == 2
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--nonce", "!"])
    assert caught.value.code == 2
