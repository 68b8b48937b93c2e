"""The host's TPM 2.0, spoken to through tpm2-pytss. Imported only where a TPM is configured.

Each use opens the device, loads what it needs and lets go of everything: nothing of ours stays in
the TPM between reports, and any resource manager, the kernel's first of all, is happy with us.
Our keys live in the endorsement hierarchy, because a statement of a key in another one hides the
reset counters (part 1, section 36.7), and take no part in the dictionary attack lock-out.

Who could lie: root may ask the TPM to sign anything but a statement of the TPM itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from tpm2_pytss import ESAPI, TCTILdr
from tpm2_pytss.constants import ESYS_TR, TPM2_ALG, TPM2_CAP, TPM2_RH, TPM2_SE, TPM2_ST
from tpm2_pytss.TSS2_Exception import TSS2_Exception
from tpm2_pytss.types import (
    TPM2B_ENCRYPTED_SECRET,
    TPM2B_ID_OBJECT,
    TPM2B_PRIVATE,
    TPM2B_PUBLIC,
    TPMT_PUBLIC,
    TPMT_SIG_SCHEME,
    TPMT_SYM_DEF,
    TPMT_TK_HASHCHECK,
)
from tpm2_pytss.utils import NoSuchIndex, NVReadEK, create_ek_template

from chipledger_agent.domain.failures import AgentCode, AgentError
from chipledger_agent.domain.tpm import REGISTERS, code_of, hint_of
from chipledger_evidence.tpm.attest import parse_signature

_ECC_CERTIFICATE: Final = 0x01C0000A  # TCG EK Credential Profile 2.2.1.4
_CHAIN_FIRST: Final = 0x01C00100
_CHAIN_END: Final = 0x01C00200
_MOST_HANDLES: Final = 256
_QUOTE_TRIES: Final = 3
_BY_KEY: Final = TPMT_SIG_SCHEME(scheme=TPM2_ALG.NULL)
_BANK: Final = "sha256:" + ",".join(map(str, REGISTERS))

# TPMT_PUBLIC templates (part 2, section 12.2.4). Attributes: fixedTPM, fixedParent,
# sensitiveDataOrigin, userWithAuth, noDA; then what each is for.
_BORN_INSIDE: Final = 0x472
_RESTRICTED, _DECRYPT, _SIGN = 1 << 16, 1 << 17, 1 << 18
_P256: Final = bytes.fromhex("0003 0010 0000 0000")
_ECDSA: Final = bytes.fromhex("0010 0018 000b") + _P256
_STORAGE: Final = bytes.fromhex("0006 0080 0043 0010") + _P256


def _template(attributes: int, parameters: bytes) -> Any:  # noqa: ANN401 - untyped library
    area = bytes.fromhex("0023 000b") + attributes.to_bytes(4) + bytes(2) + parameters
    return TPM2B_PUBLIC(publicArea=TPMT_PUBLIC.unmarshal(area)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Endorsement:
    """The TPM's endorsement key, and what its maker says of it.

    Attributes:
        kind: name of its template.
        area: TPMT_PUBLIC.
        certificate: what the TPM keeps as its certificate, or None.
        chain: further certificates that the TPM keeps.
    """

    kind: str
    area: bytes
    certificate: bytes | None
    chain: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyBlob:
    """A key that only the TPM which made it can load: TPMT_PUBLIC, and TPM2B_PRIVATE's content."""

    area: bytes
    private: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A TPMS_ATTEST with r ‖ s of the attestation key."""

    attest: bytes
    signature: bytes


class TpmDevice:
    """One TPM, by the name of its transport (TCTI).

    Every method raises `AgentError` with a `tpm-…` code; see docs/AGENT.md.
    """

    def __init__(self, tcti: str) -> None:
        self._tcti = tcti

    def endorsement(self) -> Endorsement:
        """Return the endorsement key: P-256 where it has a certificate, else RSA where that has."""
        with self._open() as tpm:
            read = NVReadEK(tpm)
            kind = "EK-ECC256"
            if _nv(read, _ECC_CERTIFICATE) is None and _nv(read, 0x01C00002) is not None:
                kind = "EK-RSA2048"
            certificate, template = create_ek_template(kind, read)
            with _primary(tpm, template) as (_, public):
                area = bytes(public.publicArea.marshal())
            return Endorsement(
                kind=kind, area=area, certificate=certificate, chain=_chain(tpm, read)
            )

    def make_keys(self) -> tuple[KeyBlob, KeyBlob]:
        """Return a new attestation key and a new signing key."""
        with self._open() as tpm, _parent(tpm) as parent:
            attestation = _make(tpm, parent, _BORN_INSIDE | _RESTRICTED | _SIGN)
            return attestation, _make(tpm, parent, _BORN_INSIDE | _SIGN)

    def sign(self, key: KeyBlob, digest: bytes) -> bytes:
        """Return r ‖ s with low s over a SHA-256 digest."""
        nothing = TPMT_TK_HASHCHECK(tag=TPM2_ST.HASHCHECK, hierarchy=TPM2_RH.NULL)
        scheme = TPMT_SIG_SCHEME(scheme=TPM2_ALG.ECDSA)
        scheme.details.ecdsa.hashAlg = TPM2_ALG.SHA256
        with self._open() as tpm, _parent(tpm) as parent, _loaded(tpm, parent, key) as handle:
            return parse_signature(bytes(tpm.sign(handle, digest, scheme, nothing).marshal()))

    def certify(self, attestation: KeyBlob, key: KeyBlob, *, extra: bytes) -> Statement:
        """Return the TPM's statement that it holds `key`, with `extra` in it."""
        with (
            self._open() as tpm,
            _parent(tpm) as parent,
            _loaded(tpm, parent, attestation) as signer,
            _loaded(tpm, parent, key) as handle,
        ):
            return _statement(*tpm.certify(handle, signer, extra, _BY_KEY))

    def quote(self, attestation: KeyBlob, *, extra: bytes) -> tuple[Statement, Mapping[int, bytes]]:
        """Return the TPM's statement of its registers, with `extra` in it, and their values."""
        with (
            self._open() as tpm,
            _parent(tpm) as parent,
            _loaded(tpm, parent, attestation) as signer,
        ):
            before = _registers(tpm)
            for _ in range(_QUOTE_TRIES):
                statement = _statement(*tpm.quote(signer, _BANK, extra))
                after = _registers(tpm)
                if after == before:
                    return statement, after
                before = after
        raise AgentError(AgentCode.TPM_BUSY, "the registers changed while they were quoted")

    def activate(self, attestation: KeyBlob, kind: str, *, blob: bytes, seed: bytes) -> bytes:
        """Return the secret of a credential made for this TPM and this attestation key."""
        with self._open() as tpm:
            _, template = create_ek_template(kind, NVReadEK(tpm))
            with (
                _primary(tpm, template) as (endorsement, _),
                _parent(tpm) as parent,
                _loaded(tpm, parent, attestation) as handle,
                _endorsement_session(tpm) as session,
            ):
                secret = tpm.activate_credential(
                    handle,
                    endorsement,
                    TPM2B_ID_OBJECT(blob),
                    TPM2B_ENCRYPTED_SECRET(seed),
                    session2=session,
                )
                return bytes(secret)

    @contextmanager
    def _open(self) -> Iterator[Any]:
        name, _, where = self._tcti.partition(":")
        try:
            with TCTILdr(name, where or None) as transport, ESAPI(transport) as tpm:
                yield tpm
        except TSS2_Exception as error:
            code = code_of(int(error.rc))
            raise AgentError(
                code, f"{self._tcti}: {error} (0x{int(error.rc):x})", hint=hint_of(code)
            ) from error


@contextmanager
def _flushed(tpm: Any, handle: Any) -> Iterator[Any]:  # noqa: ANN401 - untyped library
    try:
        yield handle
    finally:
        tpm.flush_context(handle)


@contextmanager
def _primary(tpm: Any, template: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - untyped library
    handle, public, *_ = tpm.create_primary(None, template, ESYS_TR.ENDORSEMENT)
    with _flushed(tpm, handle):
        yield handle, public


@contextmanager
def _parent(tpm: Any) -> Iterator[Any]:  # noqa: ANN401 - untyped library
    """Derive our storage key: the same at every call, as long as the TPM is not cleared."""
    template = _template(_BORN_INSIDE | _RESTRICTED | _DECRYPT, _STORAGE)
    with _primary(tpm, template) as (handle, _):
        yield handle


@contextmanager
def _loaded(tpm: Any, parent: Any, key: KeyBlob) -> Iterator[Any]:  # noqa: ANN401 - untyped library
    public = TPM2B_PUBLIC(publicArea=TPMT_PUBLIC.unmarshal(key.area)[0])
    with _flushed(tpm, tpm.load(parent, TPM2B_PRIVATE(key.private), public)) as handle:
        yield handle


@contextmanager
def _endorsement_session(tpm: Any) -> Iterator[Any]:  # noqa: ANN401 - untyped library
    """Open the policy that EK templates demand: whoever may use the endorsement hierarchy."""
    session = tpm.start_auth_session(
        ESYS_TR.NONE,
        ESYS_TR.NONE,
        TPM2_SE.POLICY,
        TPMT_SYM_DEF(algorithm=TPM2_ALG.NULL),
        TPM2_ALG.SHA256,
    )
    with _flushed(tpm, session):
        tpm.policy_secret(ESYS_TR.ENDORSEMENT, session)
        yield session


def _make(tpm: Any, parent: Any, attributes: int) -> KeyBlob:  # noqa: ANN401 - untyped library
    private, public, *_ = tpm.create(parent, None, _template(attributes, _ECDSA))
    return KeyBlob(area=bytes(public.publicArea.marshal()), private=bytes(private))


def _statement(attest: Any, signature: Any) -> Statement:  # noqa: ANN401 - untyped library
    return Statement(attest=bytes(attest), signature=parse_signature(bytes(signature.marshal())))


def _registers(tpm: Any) -> dict[int, bytes]:  # noqa: ANN401 - untyped library
    _, _, values = tpm.pcr_read(_BANK)
    if len(values) != len(REGISTERS):
        raise AgentError(AgentCode.TPM_FAILED, "the TPM has no SHA-256 bank of registers")
    return {number: bytes(value) for number, value in zip(REGISTERS, values, strict=True)}


def _nv(read: Callable[[int], bytes], index: int) -> bytes | None:
    try:
        return read(index)
    except NoSuchIndex:
        return None


def _chain(tpm: Any, read: Callable[[int], bytes]) -> Sequence[bytes]:  # noqa: ANN401 - untyped
    """Return the certificates that the maker left beside the EK's, one DER after the other."""
    _, found = tpm.get_capability(TPM2_CAP.HANDLES, _CHAIN_FIRST, _MOST_HANDLES)
    kept = b"".join(
        _nv(read, int(index)) or b""
        for index in found.data.handles
        if _CHAIN_FIRST <= int(index) < _CHAIN_END
    )
    certificates = []
    while kept[:2] == b"\x30\x82":
        end = 4 + int.from_bytes(kept[2:4])
        certificates.append(kept[:end])
        kept = kept[end:]
    return certificates
