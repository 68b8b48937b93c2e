"""The host's keys on this machine: the present one, and the one that is to follow it.

A key is a file of its own: a plain private key, or what only this machine's TPM can load. Which
of them is the host's is said by the enrolment, so that a crash in the middle of a rotation
leaves a host that knows its key.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chipledger_agent.adapters.durable import storage_failed
from chipledger_agent.adapters.keyfile import create_key, load_signer, permanent_ueid
from chipledger_agent.domain.failures import AgentCode, AgentError
from chipledger_agent.ports import Entropy
from chipledger_evidence.enrolment import KeyTier
from chipledger_evidence.keys import Signer

if TYPE_CHECKING:
    from types import ModuleType

    from chipledger_agent.adapters.tpm_device import TpmDevice
    from chipledger_agent.adapters.tpm_keys import TpmHostKey

PEM_FILE = "key.pem"
TPM_FILE = "tpm-key.json"
NEXT = ".next"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKey:
    """A key of this host.

    Attributes:
        path: its file.
        signer: signs with it.
        tier: what holds it, as it is asked for.
        ueid: permanent name of the host.
        tpm: the TPM that holds it, where one does.
    """

    path: Path
    signer: Signer
    tier: KeyTier
    ueid: str
    tpm: "TpmHostKey | None" = None


class Keyring:
    """Loads and makes keys.

    Args:
        file: where the host's key is, or is to be.
        in_tpm: new keys are made in the TPM.
        tcti: how the TPM is reached.
        algorithm: kind of a new key that is no TPM's.
        folder: the state folder.
        entropy: chance.
    """

    def __init__(
        self,
        *,
        file: Path,
        in_tpm: bool,
        tcti: str,
        algorithm: str,
        folder: Path,
        entropy: Entropy,
    ) -> None:
        self._file = file
        self._in_tpm = in_tpm
        self._tcti = tcti
        self._algorithm = algorithm
        self._folder = folder
        self._entropy = entropy

    def first(self) -> HostKey:
        """Return the key to enrol, made where there is none; raises `key-…`, `tpm-…`."""
        return self._load(self._file) if self._file.exists() else self._create(self._file, None)

    def configured(self) -> HostKey:
        """Return the key in the configured file; raises `key-missing` and others."""
        return self._load(self._file)

    def present(self, kid: str) -> HostKey:
        """Return the key that is enrolled as `kid`, else that in the configured file."""
        names = (self._file, self._folder / PEM_FILE, self._folder / TPM_FILE)
        for path in (*names, *(_next(name) for name in names)):
            if path.exists():
                key = self._load(path)
                if key.signer.public.kid == kid:
                    return key
        return self.configured()

    def settled(self, kid: str) -> HostKey:
        """Return the key that is enrolled as `kid`, in its place though a rotation was cut short.

        Raises:
            AgentError: `storage-failed` and those of :meth:`present`.
        """
        key = self.present(kid)
        if key.path != _next(self._file):
            return key
        _move(key.path, self._file)
        return self._load(self._file)

    def has_begun(self) -> bool:
        """Tell whether a key that is to follow was made: the collector may have taken it."""
        return _next(self._file).exists()

    def following(self, present: HostKey) -> HostKey:
        """Return the key that is to follow `present`, made where there is none."""
        path = _next(self._file)
        return self._load(path) if path.exists() else self._create(path, present.ueid)

    def adopt(self, present: HostKey, following: HostKey) -> None:
        """Put the key that followed in its place, once its enrolment is durable.

        The key before is deleted: it lets nobody in any more.
        """
        _move(following.path, self._file)
        if present.path != self._file:
            present.path.unlink(missing_ok=True)

    def _load(self, path: Path) -> HostKey:
        if _is_of_tpm(path):
            keys, device = self._tpm()
            return self._of_tpm(path, keys.load_tpm_key(path, device))
        return self._of_file(path, load_signer(path))

    def _create(self, path: Path, ueid: str | None) -> HostKey:
        if not self._in_tpm:
            return self._of_file(path, create_key(path, algorithm=self._algorithm))
        keys, device = self._tpm()
        return self._of_tpm(path, keys.create_tpm_key(path, device, name=ueid))

    def _of_file(self, path: Path, signer: Signer) -> HostKey:
        name = permanent_ueid(self._folder, self._entropy)
        return HostKey(path=path, signer=signer, tier=KeyTier.SOFTWARE, ueid=name)

    def _of_tpm(self, path: Path, key: "TpmHostKey") -> HostKey:
        return HostKey(path=path, signer=key, tier=key.tier, ueid=key.ueid, tpm=key)

    def _tpm(self) -> "tuple[ModuleType, TpmDevice]":
        """Return what speaks to the TPM; brought in only where a key is in one."""
        try:
            from chipledger_agent.adapters import tpm_device, tpm_keys  # noqa: PLC0415 - see above
        except ImportError as error:
            raise AgentError(
                AgentCode.TPM_PART_MISSING,
                f"the TPM software stack is not installed: {error}",
                hint="pip install chipledger[agent,tpm], and the system packages of docs/AGENT.md",
            ) from error
        return tpm_keys, tpm_device.TpmDevice(self._tcti)


def _move(path: Path, to: Path) -> None:
    try:
        path.rename(to)
    except OSError as error:
        raise storage_failed(error, f"renaming {path}") from error


def _next(path: Path) -> Path:
    return path.with_name(path.name + NEXT)


def _is_of_tpm(path: Path) -> bool:
    """Tell the two kinds of files apart; one that cannot be read is left to its loader."""
    try:
        with path.open("rb") as file:
            return file.read(1) == b"{"
    except OSError:
        return path.name.startswith(TPM_FILE)
