"""Evidence through the BMC: Redfish `ComponentIntegrity`, the one way that is not the host's.

The BMC asks the chip's own root of trust over its own wires, so a host operating system cannot
answer in its place; it also lists chips, serials and slots, which are held against the driver's.
"""

import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

import msgspec

from chipledger_agent.domain.evidence import (
    REDFISH,
    DeviceEvidence,
    Gathered,
    ReasonCode,
    why,
)
from chipledger_agent.gpu_evidence.bmc import Access, Answer, Bmc, BmcError, connected
from chipledger_agent.gpu_evidence.places import chip_of, chip_with, pdi_of
from chipledger_agent.gpu_evidence.views import BmcChip, BmcTray, differences
from chipledger_evidence.claims import NoEvidence
from chipledger_evidence.inventory import Inventory

DEADLINE_S = 240
INTEGRITY = "/redfish/v1/ComponentIntegrity"
CHASSIS = "/redfish/v1/Chassis"
_ACTION = "#ComponentIntegrity.SPDMGetSignedMeasurements"
_MAX_REPORT_BYTES = 16 * 1024
_POLL_MS, _MAX_POLL_MS = 1_000, 10_000
_MAX_CARRIERS = 4
_ACCEPTED = 202
_RUNNING = frozenset({"New", "Starting", "Running", "Pending", "Service", "Suspended"})
_FATAL = frozenset(
    {
        ReasonCode.DEADLINE,
        ReasonCode.REDFISH_UNREACHABLE,
        ReasonCode.REDFISH_UNTRUSTED,
        ReasonCode.REDFISH_OVERSIZE,
    }
)
"""After these the BMC is not asked on: the next question would fare no better."""
_FUSED = re.compile(r"0x([0-9A-Fa-f]{16})")
_LOCATION = re.compile(r"[Ll]ocation:\s*(\S+)")


class _Lenient(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What is used of a Redfish resource; everything else in it is passed over."""


class _Link(msgspec.Struct, frozen=True, kw_only=True):
    path: str = msgspec.field(name="@odata.id")


class _Collection(_Lenient, frozen=True, kw_only=True):
    members: Annotated[tuple[_Link, ...], msgspec.Meta(max_length=512)]


class _Target(msgspec.Struct, frozen=True, kw_only=True):
    target: str


class _Actions(msgspec.Struct, frozen=True, kw_only=True):
    sign: _Target | None = msgspec.field(name=_ACTION, default=None)


class _Responder(_Lenient, frozen=True, kw_only=True):
    component_certificate: _Link | None = None


class _Identity(_Lenient, frozen=True, kw_only=True):
    responder_authentication: _Responder | None = None


class _Spdm(_Lenient, frozen=True, kw_only=True):
    identity_authentication: _Identity | None = None


class _Component(_Lenient, frozen=True, kw_only=True):
    """ComponentIntegrity: a root of trust, what it guards, and how it is asked."""

    id: str
    component_integrity_enabled: bool | None = None
    component_integrity_type: str | None = None
    target_component: str | None = msgspec.field(name="TargetComponentURI", default=None)
    actions: _Actions = _Actions()
    spdm: _Spdm | None = msgspec.field(name="SPDM", default=None)

    @property
    def certificate(self) -> str | None:
        """Path of the chain of its key."""
        identity = self.spdm.identity_authentication if self.spdm else None
        responder = identity.responder_authentication if identity else None
        link = responder.component_certificate if responder else None
        return link.path if link else None

    def is_root_of(self, *, own: bool) -> bool:
        """Tell whether it is a chip's root of trust: its own, or only that of its board."""
        guards = "GPU" in self.id or "NVSwitch" in self.id
        return guards and self.component_integrity_type == "SPDM" and own != ("ERoT" in self.id)


class _Slot(_Lenient, frozen=True, kw_only=True):
    slot_id: int | None = None


class _Certificate(_Lenient, frozen=True, kw_only=True):
    certificate_string: Annotated[str, msgspec.Meta(min_length=1, max_length=32 * 1024)]
    spdm: _Slot | None = msgspec.field(name="SPDM", default=None)


class _Measured(_Lenient, frozen=True, kw_only=True):
    """The answer, or a task that will have it."""

    path: str | None = msgspec.field(name="@odata.id", default=None)
    signed_measurements: str | None = None
    task_state: str | None = None
    payload: "_Payload | None" = None


class _Payload(_Lenient, frozen=True, kw_only=True):
    http_headers: tuple[str, ...] = ()


class _Carrier(_Lenient, frozen=True, kw_only=True):
    contained_by: _Link | None = None


class _NvidiaOem(_Lenient, frozen=True, kw_only=True):
    chassis_physical_slot_number: int | None = None
    compute_tray_index: int | None = None


class _Oem(_Lenient, frozen=True, kw_only=True):
    nvidia: _NvidiaOem | None = None


class _Chassis(_Lenient, frozen=True, kw_only=True):
    serial_number: str | None = None
    links: _Carrier = _Carrier()
    oem: _Oem = _Oem()


class RedfishSource:
    """Asks the BMC, one chip after the other."""

    name = REDFISH
    asks = True

    def __init__(
        self,
        access: Access,
        *,
        monotonic_ms: Callable[[], int],
        pause_ms: Callable[[int], None],
        deadline_s: int = DEADLINE_S,
    ) -> None:
        """Take the parts; nothing is asked yet.

        Args:
            access: how the BMC is reached.
            monotonic_ms: a clock that never jumps, in milliseconds.
            pause_ms: waits so long between two looks at a task.
            deadline_s: seconds for everything.
        """
        self._access = access
        self._monotonic_ms = monotonic_ms
        self._pause_ms = pause_ms
        self._deadline_s = deadline_s

    def gather(self, nonce: bytes, inventory: Inventory, *, within_s: int) -> Gathered:
        """Return what chips and switches sign through the BMC, and where the views differ."""
        deadline_ms = self._monotonic_ms() + min(self._deadline_s, within_s) * 1000
        visit = _Visit(nonce, inventory, pause_ms=self._pause_ms)
        try:
            with connected(self._access, left_ms=lambda: deadline_ms - self._monotonic_ms()) as bmc:
                visit.run(bmc)
        except BmcError as error:
            visit.reasons.append(why(REDFISH, error.code, detail=error.detail))
        return Gathered(found=tuple(visit.found), reasons=tuple(visit.reasons))


class _Visit:
    """One round with one BMC; what was found before a failure stands."""

    found: list[DeviceEvidence]
    reasons: list[NoEvidence]

    def __init__(
        self, nonce: bytes, inventory: Inventory, *, pause_ms: Callable[[int], None]
    ) -> None:
        self._nonce = nonce
        self._inventory = inventory
        self._pause_ms = pause_ms
        self.found = []
        self.reasons = []

    def run(self, bmc: Bmc) -> None:
        links = bmc.get(INTEGRITY, _Collection).members
        components = list(self._components(bmc, [link.path for link in links]))
        roots = [item for item in components if item.is_root_of(own=True)]
        if not any("GPU" in item.id for item in roots):
            boards = any(item.is_root_of(own=False) for item in components)
            code = ReasonCode.BOARD_ROOT_ONLY if boards else ReasonCode.NOT_LISTED
            self.reasons.append(why(REDFISH, code))
        chips = [chip for root in roots if (chip := self._one(bmc, root)) is not None]
        if chips:
            tray = _tray(bmc)
            self.reasons += differences(chips, tray, self._inventory)

    def _components(self, bmc: Bmc, paths: Sequence[str]) -> Iterator[_Component]:
        for path in paths:
            try:
                yield bmc.get(path, _Component)
            except BmcError as error:  # one odd member says nothing of the others
                self._failed(path, error, chip=None)

    def _one(self, bmc: Bmc, root: _Component) -> BmcChip | None:
        """Take what one root of trust signs; return the chip it stands for."""
        try:
            chain, slot = _chain(bmc, root)
        except BmcError as error:
            self._failed(root.id, error, chip=None)
            chain, slot = b"", 0
        chip = self._described(bmc, root, chain)
        place = (
            chip_of(chain, self._inventory)
            if chip is None
            else chip_with(chip.pdi, self._inventory)
        )
        if chain:
            try:
                report = self._report(bmc, root, slot)
            except BmcError as error:
                self._failed(root.id, error, chip=place)
            else:
                self.found.append(
                    DeviceEvidence(source=REDFISH, transcript=report, chain=chain, chip=place)
                )
        return chip

    def _failed(self, what: str, error: BmcError, *, chip: int | None) -> None:
        if error.code in _FATAL:
            raise error
        self.reasons.append(why(REDFISH, error.code, chip=chip, detail=f"{what}: {error.detail}"))

    def _described(self, bmc: Bmc, root: _Component, chain: bytes) -> BmcChip | None:
        """Return the chip behind a root of trust, None for a switch."""
        if "GPU" not in root.id:
            return None
        serial = board = None
        try:
            own = bmc.get_if_there(root.target_component or f"{CHASSIS}/{root.id}", _Chassis)
            serial = own.serial_number if own else None
            carrier = own.links.contained_by if own else None
            above = bmc.get_if_there(carrier.path, _Chassis) if carrier else None
            board = above.serial_number if above else None
        except BmcError as error:
            self._failed(root.id, error, chip=None)
        fused = _FUSED.fullmatch(serial or "")
        pdi = fused[1].lower() if fused else pdi_of(chain)
        return BmcChip(name=root.id, pdi=pdi, board_serial=board)

    def _report(self, bmc: Bmc, root: _Component, slot: int) -> bytes:
        action = root.actions.sign
        if action is None or root.component_integrity_enabled is False:
            raise BmcError(ReasonCode.NOT_OFFERED, "no signed measurements here")
        answer = bmc.ask("POST", action.target, {"Nonce": self._nonce.hex(), "SlotId": slot})
        said = read_measured(answer)
        task = _task_of(answer, said)
        while said.signed_measurements is None:
            if said.task_state == "Completed":
                said = bmc.get(_result_of(said) or f"{action.target}/data", _Measured)
                if said.signed_measurements is None:
                    raise BmcError(ReasonCode.REDFISH_TASK_FAILED, "it left no result")
                break
            if said.task_state is not None and said.task_state not in _RUNNING:
                raise BmcError(ReasonCode.REDFISH_TASK_FAILED, said.task_state)
            self._pause_ms(_patience_ms(answer))
            answer = bmc.ask("GET", task)
            said = read_measured(answer)
        return _bytes_of(said.signed_measurements)


def _chain(bmc: Bmc, root: _Component) -> tuple[bytes, int]:
    """Return the PEM chain of a root of trust and the slot it lies in."""
    path = root.certificate or f"{CHASSIS}/{root.id}/Certificates/CertChain"
    said = bmc.get(path, _Certificate)
    slot = said.spdm.slot_id if said.spdm else None
    return said.certificate_string.encode(), slot or 0


def read_measured(answer: Answer) -> _Measured:
    """Return the result or task in `answer`; raises `BmcError`."""
    empty = answer.status == _ACCEPTED and not answer.body  # a monitor with nothing to say yet
    return _Measured() if empty else answer.read(_Measured)


def _task_of(answer: Answer, said: _Measured) -> str:
    """Return where a task is looked at: the monitor that the answer names, or the task."""
    location = answer.headers.get("Location", "")
    path = location if location.startswith("/") else said.path
    if path is None and said.signed_measurements is None:
        raise BmcError(ReasonCode.REDFISH_MALFORMED, "neither a result nor a task")
    return path or ""


def _result_of(said: _Measured) -> str | None:
    headers = said.payload.http_headers if said.payload else ()
    return next((match[1] for line in headers if (match := _LOCATION.fullmatch(line))), None)


def _patience_ms(answer: Answer) -> int:
    text = answer.headers.get("Retry-After", "").strip()
    asked_ms = int(text) * 1000 if text.isascii() and text.isdigit() else _POLL_MS
    return min(max(asked_ms, _POLL_MS), _MAX_POLL_MS)


def _bytes_of(text: str) -> bytes:
    try:
        report = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise BmcError(ReasonCode.REDFISH_MALFORMED, f"SignedMeasurements: {error}") from error
    if not 0 < len(report) <= _MAX_REPORT_BYTES:
        raise BmcError(ReasonCode.REDFISH_OVERSIZE, f"a report of {len(report)} bytes")
    return report


def _tray(bmc: Bmc) -> BmcTray | None:
    """Return where in its rack this host is, as its carrier boards say; None when none says."""
    listed = bmc.get_if_there(CHASSIS, _Collection)
    links = listed.members if listed else ()
    carriers = [link.path for link in links if link.path.rsplit("/", 1)[-1].startswith("CBC")]
    for path in carriers[:_MAX_CARRIERS]:
        chassis = bmc.get_if_there(path, _Chassis)
        oem = chassis.oem.nvidia if chassis else None
        if oem is not None and oem.compute_tray_index is not None:
            return BmcTray(slot=oem.chassis_physical_slot_number, tray=oem.compute_tray_index)
    return None
