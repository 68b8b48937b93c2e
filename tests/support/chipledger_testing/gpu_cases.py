"""Evidence of real devices, where the shared folder is at hand; never copied into the project."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One piece of evidence and what an independent verifier found in it.

    Attributes:
        name: its name in expected.json.
        path: the file or folder that `chipledger-verify gpu-evidence` takes.
        place: which entry of a JSON list.
        report: the report, None where there is only a chain.
        chain: the chain, PEM.
        said_nonce: the nonce beside it, hex.
        expected: the expected values.
    """

    name: str
    path: Path
    place: int
    report: bytes | None
    chain: bytes
    said_nonce: str | None
    expected: dict[str, Any]

    @property
    def nonce(self) -> bytes:
        """The nonce in the report."""
        return bytes.fromhex(self.expected["nonce"])


def cases(shared: Path) -> list[Case]:
    """Return every case of expected.json."""
    folder = shared / "evidence"
    listed = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["cases"]
    return [_case(folder, expected) for expected in listed]


def case(shared: Path, name: str) -> Case:
    """Return the case of that name."""
    return next(each for each in cases(shared) if each.name == name)


def _case(folder: Path, expected: dict[str, Any]) -> Case:
    path = folder / expected["files"][0]
    place, said = 0, None
    report: bytes | None
    if path.suffix == ".hex":
        report = bytes.fromhex(path.read_text("ascii"))
        chain = (folder / expected["files"][1]).read_bytes()
        path = path.parent
    elif isinstance(held := json.loads(path.read_text("utf-8")), list):
        place = int(expected["case"].rpartition("[")[2].rstrip("]"))
        report, chain = (base64.b64decode(held[place][key]) for key in ("evidence", "certificate"))
        said = held[place]["nonce"]
    else:
        report, chain = None, held["CertificateString"].encode()
    return Case(
        name=expected["case"],
        path=path,
        place=place,
        report=report,
        chain=chain,
        said_nonce=said,
        expected=expected,
    )
