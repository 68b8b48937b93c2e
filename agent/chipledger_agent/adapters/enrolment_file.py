"""What the collector answered to the enrolment, kept beside the key."""

from pathlib import Path

from chipledger_agent.adapters.durable import PosixDisk, storage_failed, write_durably
from chipledger_agent.domain.failures import AgentCode, AgentError
from chipledger_evidence.codec import decode_strict, encode_canonical
from chipledger_evidence.enrolment import Enrolment
from chipledger_evidence.errors import EvidenceError

FILE = "enrolment.json"


def load_enrolment(folder: Path) -> Enrolment:
    """Return the kept enrolment.

    Raises:
        AgentError: `not-enrolled` or `state-unreadable`.
    """
    path = folder / FILE
    try:
        return decode_strict(path.read_bytes(), Enrolment)
    except FileNotFoundError as error:
        raise AgentError(
            AgentCode.NOT_ENROLLED,
            f"no enrolment in {folder}",
            hint="run `chipledger-agent enroll --code-file FILE`",
        ) from error
    except (OSError, EvidenceError) as error:
        raise AgentError(
            AgentCode.STATE_UNREADABLE,
            f"{path}: {error}",
            hint="enrol again with the same code and key: the answer is the same",
        ) from error


def save_enrolment(folder: Path, enrolment: Enrolment) -> None:
    """Make `enrolment` durable in `folder`; raises `storage-failed`."""
    try:
        write_durably(PosixDisk(folder), ".", FILE, encode_canonical(enrolment))
    except OSError as error:
        raise storage_failed(error, f"writing {folder / FILE}") from error
