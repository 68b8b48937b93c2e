"""The key that signs attestation results: made once, never replaced, and nothing without it."""

import subprocess
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chipledger_evidence.keys import Jwk, load_jwk
from chipledger_testing.collector_process import CollectorProcess


def asked(collector: CollectorProcess, token: str) -> tuple[int, bytes]:
    """Return status and body of the public key's address."""
    headers = {"authorization": f"Bearer {token}"}
    reply = collector.request("GET", "/api/v1/result-key", None, headers)
    return reply.status, reply.body


def failure(collector: CollectorProcess, *arguments: str) -> str:
    """Run a command that must be refused and return what it says."""
    done = subprocess.run(
        collector.command_line(*arguments), capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    return done.stderr


def initialised(folder: Path) -> tuple[CollectorProcess, str]:
    """Return a new collector that does not run, and its administrator's token."""
    collector = CollectorProcess(folder)
    collector.configure()
    return collector, collector.command("init").strip()


def test_init_makes_the_key_and_nothing_replaces_it(tmp_path: Path) -> None:
    """Readable for the service alone, and shown as a JWK."""
    collector, _ = initialised(tmp_path)
    key = tmp_path / "result.key"
    made = key.read_bytes()

    assert key.stat().st_mode & 0o777 == 0o600
    assert "already-initialised" in failure(collector, "result-key", "create")
    assert key.read_bytes() == made
    shown = msgspec.json.decode(collector.command("result-key", "show"), type=Jwk)
    assert load_jwk(shown).alg == "ES256"


def test_a_collector_from_before_signs_nothing_until_it_has_a_key(tmp_path: Path) -> None:
    """It serves all the same, says what is missing, and never makes a key in passing."""
    collector, token = initialised(tmp_path)
    (tmp_path / "result.key").unlink()
    collector.start()
    try:
        status, body = asked(collector, token)
        assert (status, msgspec.json.decode(body)["code"]) == (503, "no-result-key")
        assert collector.get("/v1/health").status == 200
    finally:
        collector.stop()
    assert not (tmp_path / "result.key").exists()
    assert "no-result-key" in failure(collector, "result-key", "show")

    shown = collector.command("result-key", "create")
    collector.start()
    try:
        assert asked(collector, token) == (200, shown.strip().encode())
    finally:
        collector.stop()


def test_the_key_may_lie_elsewhere(tmp_path: Path) -> None:
    """Where the configuration names it."""
    elsewhere = tmp_path / "keys" / "results.pem"
    collector = CollectorProcess(tmp_path / "c")
    collector.configure()
    config = collector.folder / "server.toml"
    config.write_text(
        config.read_text().replace("[secrets]\n", f'[secrets]\nresult_key_file = "{elsewhere}"\n')
    )
    collector.command("init")
    assert elsewhere.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert not (collector.folder / "result.key").exists()


def test_a_key_is_not_made_where_there_is_no_collector(tmp_path: Path) -> None:
    """`init` makes it there."""
    collector = CollectorProcess(tmp_path)
    collector.configure()
    assert "not-initialised" in failure(collector, "result-key", "create")
    assert not (tmp_path / "result.key").exists()


def other_curve() -> bytes:
    """Return a key that signs by another algorithm."""
    key = ec.generate_private_key(ec.SECP384R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    "content", [b"", b"not a key", other_curve()], ids=["empty", "text", "another curve"]
)
def test_a_file_that_is_no_such_key_stops_the_start(content: bytes, tmp_path: Path) -> None:
    """Rather than signing with something else, or with nothing."""
    collector, _ = initialised(tmp_path)
    (tmp_path / "result.key").write_bytes(content)
    for command in (("run",), ("result-key", "show")):
        assert "invalid-configuration" in failure(collector, *command)
