"""Key, permanent id, enrolment and small state, as files."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from chipledger_agent.adapters.durable import PosixDisk, StateLock
from chipledger_agent.adapters.enrolment_file import load_enrolment, save_enrolment
from chipledger_agent.adapters.keyfile import (
    PERMANENT_FILE,
    create_key,
    load_signer,
    permanent_ueid,
)
from chipledger_agent.adapters.state_file import StateFile
from chipledger_agent.domain.failures import AgentCode, AgentError
from chipledger_agent.domain.plan import LastFull
from chipledger_agent.domain.state import State
from chipledger_evidence.enrolment import Enrolment, KeyTier
from chipledger_evidence.ids import sha256_b64
from chipledger_testing.agent_ports import Notes, SeededEntropy
from chipledger_testing.claims import HOST, SITE
from chipledger_testing.disk import Fault, Mode, SimulatedDisk

DIGEST = sha256_b64(b"x")
ENROLMENT = Enrolment(
    collector="c.example",
    epoch=DIGEST,
    full_interval_s=86_400,
    host=HOST,
    interval_s=3600,
    kid=DIGEST,
    leaf=DIGEST,
    site=SITE,
    tier=KeyTier.SOFTWARE,
)


def code_of(caught: pytest.ExceptionInfo[AgentError]) -> str:
    """Return the stable code."""
    return caught.value.code


@pytest.mark.parametrize(("algorithm", "alg"), [("es256", "ES256"), ("ed25519", "Ed25519")])
def test_a_made_key_signs_after_a_restart(tmp_path: Path, algorithm: str, alg: str) -> None:
    """The same key, either kind, in a file for its owner alone."""
    path = tmp_path / "key.pem"
    made = create_key(path, algorithm=algorithm)
    loaded = load_signer(path)

    assert loaded.public == made.public
    assert loaded.public.alg == alg
    loaded.public.verify(loaded.sign(b"message"), b"message")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    """A second creation is refused and the first key stays."""
    path = tmp_path / "key.pem"
    made = create_key(path, algorithm="es256")
    with pytest.raises(AgentError) as caught:
        create_key(path, algorithm="ed25519")

    assert code_of(caught) == AgentCode.KEY_EXISTS
    assert load_signer(path).public == made.public


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o677])
def test_a_key_with_loose_permissions_is_refused(tmp_path: Path, mode: int) -> None:
    """Any bit for group or others is one too many."""
    path = tmp_path / "key.pem"
    create_key(path, algorithm="es256")
    path.chmod(mode)
    with pytest.raises(AgentError) as caught:
        load_signer(path)

    assert code_of(caught) == AgentCode.KEY_EXPOSED


def test_an_absent_key_says_how_to_get_one(tmp_path: Path) -> None:
    """Nothing but `enroll` ever makes a key."""
    with pytest.raises(AgentError) as caught:
        load_signer(tmp_path / "key.pem")

    assert code_of(caught) == AgentCode.KEY_MISSING
    assert "enroll" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    """Return a key as PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_other_kinds_of_keys_are_refused(tmp_path: Path) -> None:
    """Two algorithms, nothing else."""
    path = tmp_path / "key.pem"
    for content in (
        b"",
        b"no key",
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    ):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(AgentError) as caught:
            load_signer(path)
        assert code_of(caught) == AgentCode.KEY_UNREADABLE


def test_the_permanent_id_is_made_once(tmp_path: Path) -> None:
    """And stays through every later enrolment."""
    entropy = SeededEntropy()
    first = permanent_ueid(tmp_path, entropy)

    assert permanent_ueid(tmp_path, entropy) == first
    assert permanent_ueid(tmp_path / ".", SeededEntropy("other")) == first


def test_a_damaged_permanent_id_is_not_replaced(tmp_path: Path) -> None:
    """A host does not become another host by itself."""
    (tmp_path / PERMANENT_FILE).write_bytes(b"short")
    with pytest.raises(AgentError) as caught:
        permanent_ueid(tmp_path, SeededEntropy())

    assert code_of(caught) == AgentCode.STATE_UNREADABLE


def test_an_enrolment_is_kept(tmp_path: Path) -> None:
    """As the collector gave it."""
    save_enrolment(tmp_path, ENROLMENT)

    assert load_enrolment(tmp_path) == ENROLMENT


def test_an_absent_enrolment_says_how_to_get_one(tmp_path: Path) -> None:
    """The host cannot guess its name."""
    with pytest.raises(AgentError) as caught:
        load_enrolment(tmp_path)

    assert code_of(caught) == AgentCode.NOT_ENROLLED


def test_a_damaged_enrolment_is_not_guessed_at(tmp_path: Path) -> None:
    """Asking again gives it back."""
    (tmp_path / "enrolment.json").write_text("{}")
    with pytest.raises(AgentError) as caught:
        load_enrolment(tmp_path)

    assert code_of(caught) == AgentCode.STATE_UNREADABLE


def test_the_small_state_survives_a_crash(tmp_path: Path) -> None:
    """On a disk that forgets and on a real one."""
    state = State(
        epoch=DIGEST, last_full=LastFull(inv=DIGEST, bootseed=DIGEST, iat_s=5), want_full=True
    )
    forgetful = SimulatedDisk()
    forgetful.make_folder("chain")
    (tmp_path / "chain").mkdir()
    StateFile(forgetful, chain="chain", journal=Notes()).save(state)
    StateFile(PosixDisk(tmp_path), chain="chain", journal=Notes()).save(state)
    after = forgetful.restarted(lambda: False)

    assert StateFile(after, chain="chain", journal=Notes()).load() == state
    assert StateFile(PosixDisk(tmp_path), chain="chain", journal=Notes()).load() == state


def test_a_damaged_state_counts_as_lost_and_is_told() -> None:
    """It costs a challenge and a full report, not the agent."""
    disk, notes = SimulatedDisk(), Notes()
    disk.make_folder("chain")
    states = StateFile(disk, chain="chain", journal=notes)
    assert states.load() is None
    assert notes.names() == []

    disk.write("chain/state.json", b'{"epoch": 5}')

    assert states.load() is None
    assert notes.names() == ["state-lost"]


def test_a_state_that_cannot_be_saved_is_an_error() -> None:
    """For the caller to survive."""
    disk = SimulatedDisk()
    disk.make_folder("chain")
    disk.fault = Fault(number=2, mode=Mode.ERROR_BEFORE)
    with pytest.raises(AgentError) as caught:
        StateFile(disk, chain="chain", journal=Notes()).save(State())

    assert code_of(caught) == AgentCode.STORAGE_FAILED


def test_the_lock_is_free_again_after_its_holder(tmp_path: Path) -> None:
    """One at a time."""
    first = StateLock(tmp_path)
    with pytest.raises(AgentError) as caught:
        StateLock(tmp_path)
    first.release()
    StateLock(tmp_path).release()

    assert code_of(caught) == AgentCode.STATE_IN_USE
