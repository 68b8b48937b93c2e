"""`chipledger-verify token` says what a token proves, and exits with what it says."""

import json
from pathlib import Path

import pytest

from chipledger_audit.verify_cli import main
from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.token import sign_token
from chipledger_testing.claims import full_report, heartbeat
from chipledger_testing.keys import SeededSigner

SIGNER = SeededSigner("audit")


def files(folder: Path, token: str, signer: SeededSigner = SIGNER) -> list[str]:
    """Write token and key and return the arguments that name them."""
    (folder / "token").write_text(token)
    (folder / "key").write_bytes(encode_canonical(signer.public.jwk))
    return ["token", str(folder / "token"), "--key", str(folder / "key")]


def test_good_token_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A good report is explained, in words that claim no more than a signature."""
    assert main(files(tmp_path, sign_token(full_report(), SIGNER).compact())) == 0
    text = capsys.readouterr().out
    assert "8 listed by provider 'nvml'" in text
    assert "self-reported" in text
    assert "verified" not in text


def test_changed_token_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A token whose payload was changed is refused with its code."""
    good = sign_token(heartbeat(), SIGNER)
    other = sign_token(heartbeat(seq=3), SIGNER)
    forged = other.compact().rsplit(".", 1)[0] + "." + good.compact().rsplit(".", 1)[1]
    assert main([*files(tmp_path, forged), "--json"]) == 1
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["code"] == "bad-signature"
    assert verdict["claims"] is None


def test_another_key_exits_1(tmp_path: Path) -> None:
    """A token of another key proves nothing under this one."""
    token = sign_token(heartbeat(), SIGNER).compact()
    assert main(files(tmp_path, token, SeededSigner("other"))) == 1


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c.d", "é", "a.b.c" * 1000])
def test_no_token_exits_without_a_traceback(tmp_path: Path, text: str) -> None:
    """Whatever the file holds, the answer is an exit status."""
    assert main(files(tmp_path, text)) in {1, 2}


def test_missing_file_exits_2(tmp_path: Path) -> None:
    """A file that cannot be read is the caller's mistake, not a verdict."""
    assert main(["token", str(tmp_path / "none"), "--key", str(tmp_path / "none")]) == 2
