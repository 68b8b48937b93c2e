"""Evidence through NVIDIA's `nvattest`, run by the evidence service: Blackwell outside CC mode.

The service is root and hands on what the program printed; here it is parsed, strictly, without
any privilege. Switches are asked as well where the host has some: they sign which chips hang on
them, which is the only signed sight of a chip that the host hides.
"""

import socket
from collections.abc import Callable
from typing import Annotated

import msgspec

from chipledger_agent.domain.evidence import (
    CORELIB,
    DeviceEvidence,
    Gathered,
    ReasonCode,
    has_switches,
    nothing_to_ask,
    why,
)
from chipledger_agent.gpu_evidence.exchange import (
    GOOD,
    MAX_HEAD_BYTES,
    SOCKET,
    Device,
    Request,
    decode_head,
    encode_line,
)
from chipledger_agent.gpu_evidence.places import chip_of
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.inventory import MAX_CHIPS, Inventory

DEADLINE_S = 120
_CHUNK_BYTES = 1 << 16
_MAX_REPORT_BYTES = 16 * 1024
_MAX_CHAIN_BYTES = 32 * 1024


class _Item(msgspec.Struct, frozen=True, kw_only=True):
    """One device in the output of `nvattest collect-evidence`; its versions are not evidence."""

    arch: Annotated[str, msgspec.Meta(pattern="^[A-Z0-9_]{1,32}$")]
    certificate: bytes
    evidence: bytes
    nonce: Annotated[str, msgspec.Meta(pattern="^(0x)?[0-9A-Fa-f]{64}$")]


class _Output(msgspec.Struct, frozen=True, kw_only=True):
    """The output of `nvattest collect-evidence --format=json`."""

    evidences: Annotated[tuple[_Item, ...], msgspec.Meta(max_length=MAX_CHIPS)]
    result_code: int


class FailedError(Exception):
    """The devices of one kind gave nothing; `code` says why."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


class CorelibSource:
    """Asks the evidence service."""

    name = CORELIB
    asks = True

    def __init__(
        self,
        *,
        monotonic_ms: Callable[[], int],
        address: str = SOCKET,
        deadline_s: int = DEADLINE_S,
    ) -> None:
        """Take the parts; nothing is asked yet.

        Args:
            monotonic_ms: a clock that never jumps, in milliseconds.
            address: path of the service's socket.
            deadline_s: seconds for the devices of one kind.
        """
        self._monotonic_ms = monotonic_ms
        self._address = address
        self._deadline_s = deadline_s

    def gather(self, nonce: bytes, inventory: Inventory, *, within_s: int) -> Gathered:
        """Return what Blackwell chips and the host's switches sign, or why not."""
        begun_ms = self._monotonic_ms()
        found: list[DeviceEvidence] = []
        reason = nothing_to_ask(CORELIB, inventory)
        reasons = [] if reason is None else [reason]
        if reason is None:
            try:
                items = self._ask("gpu", nonce, within_s=within_s)
                found += [_chip(item, inventory) for item in items]
            except FailedError as failure:
                reasons.append(why(CORELIB, failure.code, detail=failure.detail))
        left_s = within_s - (self._monotonic_ms() - begun_ms) // 1000
        try:
            found += self._switches(nonce, inventory, within_s=left_s)
        except FailedError as failure:
            words = f"{failure.code} {failure.detail}".strip()
            reasons.append(why(CORELIB, ReasonCode.NO_SWITCH_WITNESS, detail=words))
        return Gathered(found=tuple(found), reasons=tuple(reasons))

    def _switches(
        self, nonce: bytes, inventory: Inventory, *, within_s: int
    ) -> list[DeviceEvidence]:
        if not has_switches(inventory):
            raise FailedError("no switch on this host's PCI buses")
        items = self._ask("nvswitch", nonce, within_s=within_s)
        if not items:
            raise FailedError(ReasonCode.NVATTEST_MALFORMED, "no switch answered")
        return [_device(item) for item in items]

    def _ask(self, device: Device, nonce: bytes, *, within_s: int) -> tuple[_Item, ...]:
        limit_s = min(self._deadline_s, within_s)
        if limit_s <= 0:
            raise FailedError(ReasonCode.DEADLINE)
        request = Request(device=device, nonce=nonce.hex(), v=1)
        deadline_ms = self._monotonic_ms() + limit_s * 1000
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                output = self._exchange(connection, encode_line(request), deadline_ms)
        except TimeoutError as error:
            raise FailedError(ReasonCode.DEADLINE, f"no whole answer within {limit_s} s") from error
        except (FileNotFoundError, ConnectionRefusedError, PermissionError) as error:
            raise FailedError(ReasonCode.SERVICE_ABSENT, f"{self._address}: {error}") from error
        except (OSError, EvidenceError) as error:
            raise FailedError(ReasonCode.SERVICE_FAILED, str(error)) from error
        return read_output(output, nonce)

    def _exchange(self, connection: socket.socket, line: bytes, deadline_ms: int) -> bytes:
        self._hurry(connection, deadline_ms)
        connection.connect(self._address)
        connection.sendall(line)
        data = b""
        while b"\n" not in data and len(data) <= MAX_HEAD_BYTES:
            data += self._more(connection, deadline_ms)
        first, _, output = data.partition(b"\n")
        head = decode_head(first)
        if head.code != GOOD:
            raise FailedError(head.code, head.detail)
        while len(output) < head.size:
            output += self._more(connection, deadline_ms)
        if len(output) != head.size:
            raise FailedError(ReasonCode.SERVICE_FAILED, "more bytes than the answer said")
        return output

    def _more(self, connection: socket.socket, deadline_ms: int) -> bytes:
        self._hurry(connection, deadline_ms)
        chunk = connection.recv(_CHUNK_BYTES)
        if not chunk:
            raise FailedError(ReasonCode.SERVICE_FAILED, "the answer ended early")
        return chunk

    def _hurry(self, connection: socket.socket, deadline_ms: int) -> None:
        left_ms = deadline_ms - self._monotonic_ms()
        if left_ms <= 0:
            raise TimeoutError
        connection.settimeout(left_ms / 1000)


def read_output(output: bytes, nonce: bytes) -> tuple[_Item, ...]:
    """Return the devices in the program's output, each checked as far as it can be here.

    Raises:
        FailedError: with the reason; nothing of such an output is used.
    """
    try:
        said = msgspec.json.decode(output, type=_Output)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FailedError(ReasonCode.NVATTEST_MALFORMED, str(error)) from error
    if said.result_code != 0:
        raise FailedError(ReasonCode.NVATTEST_FAILED, f"result_code {said.result_code}")
    for item in said.evidences:
        if item.nonce.lower().removeprefix("0x") != nonce.hex():
            raise FailedError(ReasonCode.NONCE_DIFFERS, f"{item.arch}: {item.nonce}")
        if not 0 < len(item.evidence) <= _MAX_REPORT_BYTES:
            raise FailedError(
                ReasonCode.NVATTEST_MALFORMED, f"a report of {len(item.evidence)} bytes"
            )
        if not 0 < len(item.certificate) <= _MAX_CHAIN_BYTES:
            raise FailedError(
                ReasonCode.NVATTEST_MALFORMED, f"a chain of {len(item.certificate)} bytes"
            )
    return said.evidences


def _device(item: _Item) -> DeviceEvidence:
    return DeviceEvidence(source=CORELIB, transcript=item.evidence, chain=item.certificate)


def _chip(item: _Item, inventory: Inventory) -> DeviceEvidence:
    return DeviceEvidence(
        source=CORELIB,
        transcript=item.evidence,
        chain=item.certificate,
        chip=chip_of(item.certificate, inventory),
    )
