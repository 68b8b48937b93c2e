"""GPU evidence as it lies in files: a folder, NVIDIA's JSON, or a Redfish resource.

The three forms are what devices' own tools write. They are bounded and read strictly enough to
know what to verify; whether it proves anything is not decided here.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_STORED_BYTES = 64 * 1024 * 1024
"""Largest folder of revocation lists or manifests that is read."""

MAX_PIECES = 256
REPORT, CHAIN = "report.hex", "chain.pem"


class FilesError(Exception):
    """These files hold no evidence in a known form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One device's evidence from a file.

    Attributes:
        name: where it stands, for people.
        report: the report, or None where the form holds a chain only.
        chain: the certificate chain, PEM.
        said_nonce: the nonce that the file states beside it, hex, or None; proves nothing.
    """

    name: str
    report: bytes | None
    chain: bytes
    said_nonce: str | None = None


class _Entry(msgspec.Struct):
    """One device in what NVIDIA's tools write; they add further members."""

    certificate: str
    evidence: str
    nonce: str | None = None


class _Collected(msgspec.Struct):
    """What `nvattest collect-evidence` prints."""

    evidences: Annotated[list[_Entry], msgspec.Meta(max_length=MAX_PIECES)]


class _Redfish(msgspec.Struct):
    """A Redfish certificate resource (DSP0266, Certificate schema)."""

    certificates: str = msgspec.field(name="CertificateString")


def read_evidence(path: Path) -> list[Piece]:
    """Return every device's evidence in `path`, at least one.

    Raises:
        FilesError: it is in none of the known forms.
        OSError: it cannot be read.
    """
    if path.is_dir():
        return [_of_folder(path)]
    data = read_bounded(path)
    try:
        if data.lstrip()[:1] == b"[":
            kind = Annotated[list[_Entry], msgspec.Meta(max_length=MAX_PIECES)]
            return _of_entries(path, msgspec.json.decode(data, type=kind))
        keys = msgspec.json.decode(data, type=dict[str, msgspec.Raw]).keys()
        if "CertificateString" in keys:
            resource = msgspec.json.decode(data, type=_Redfish)
            chain = resource.certificates.encode("utf-8")
            return [Piece(name=path.name, report=None, chain=chain)]
        return _of_entries(path, msgspec.json.decode(data, type=_Collected).evidences)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise FilesError(
            f"{path}: neither a folder with {REPORT} and {CHAIN}, nor NVIDIA's JSON list, nor a"
            f" Redfish certificate resource: {error}"
        ) from error


def read_stored(folder: Path) -> Mapping[str, bytes]:
    """Return the files of a folder of revocation lists or manifests by name, sorted.

    Raises:
        FilesError: they are more than 64 MiB.
        OSError: a file or the folder cannot be read.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if sum(path.stat().st_size for path in files) > MAX_STORED_BYTES:
        raise FilesError(f"{folder}: more than {MAX_STORED_BYTES} bytes")
    return {path.name: path.read_bytes() for path in files}


def _of_folder(path: Path) -> Piece:
    text = b"".join(read_bounded(path / REPORT).split())
    try:
        report = binascii.unhexlify(text)
    except binascii.Error as error:
        raise FilesError(f"{path / REPORT}: not hexadecimal text: {error}") from error
    return Piece(name=path.name or str(path), report=report, chain=read_bounded(path / CHAIN))


def _of_entries(path: Path, entries: list[_Entry]) -> list[Piece]:
    if not entries:
        raise FilesError(f"{path}: an empty list")
    return [_of_entry(f"{path.name}[{place}]", entry) for place, entry in enumerate(entries)]


def _of_entry(name: str, entry: _Entry) -> Piece:
    try:
        report, chain = (
            base64.b64decode("".join(text.split()), validate=True)
            for text in (entry.evidence, entry.certificate)
        )
    except ValueError as error:
        raise FilesError(f"{name}: not base64: {error}") from error
    return Piece(name=name, report=report, chain=chain, said_nonce=entry.nonce)


def read_bounded(path: Path) -> bytes:
    """Return a file of at most 8 MiB.

    Raises:
        FilesError: it is larger.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise FilesError(f"{path}: more than {MAX_FILE_BYTES} bytes")
    return data
