"""Take identities out of a capture: every distinct one becomes a placeholder of its own.

What was equal stays equal (two chips of one board keep sharing a serial, a fabric GUID that
equals a PDI still does), what was different stays different. An identity is replaced in every
form in which it can occur: text of either case, with and without hyphens, raw bytes, and
64-bit words of either byte order. Pure.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from chipledger_agent.scan.tape import Answered, Tape
from chipledger_evidence.inventory import Chip, Inventory, Platform, Unread

_LEAST_BYTES = 4
"""A binary identity with fewer bytes that are not zero identifies nothing."""

_UUID_DIGITS = re.compile("[0-9a-f]{32}")
_IDENTITY_FIELDS = frozenset({"uuid", "serial", "chassis_serial", "hostname_tag"})


@dataclass(slots=True)
class Placeholders:
    """Byte sequence → byte sequence of the same length, for every form of every identity."""

    forms: dict[bytes, bytes] = field(default_factory=dict)
    _given: dict[tuple[str, str], int] = field(default_factory=dict)

    def _number(self, kind: str, identity: str) -> int:
        taken = sum(1 for known, _ in self._given if known == kind)
        return self._given.setdefault((kind, identity), taken + 1)

    def _add(self, old: bytes, new: bytes) -> None:
        if len(old.strip(b"\0")) >= _LEAST_BYTES:
            self.forms.setdefault(old, new)

    def _add_text(self, old: str, new: str) -> None:
        for form in (str.lower, str.upper):
            self._add(form(old).encode(), form(new).encode())
        self._add(old.encode(), new.encode())

    def uuid(self, text: str) -> None:
        """Take in a UUID with its prefix (`GPU-…`, `MIG-…`), or without."""
        digits = text.rpartition("GPU-")[2].rpartition("MIG-")[2].replace("-", "").lower()
        if not _UUID_DIGITS.fullmatch(digits):
            self.free_text(text)
            return
        number = self._number("uuid", digits)
        old, new = bytes.fromhex(digits), bytes.fromhex(f"{number:08x}{0:012x}{number:012x}")
        self._add_text(str(UUID(bytes=old)), str(UUID(bytes=new)))
        self._add_text(old.hex(), new.hex())
        self._add(old, new)

    def serial(self, text: str, *, kind: str = "serial") -> None:
        """Take in a board or chassis serial: the first three characters stay, they name a site."""
        if len(text) > _LEAST_BYTES:
            number = self._number(kind, text)
            self._add_text(text, text[:3] + str(number).rjust(len(text) - 3, "0"))

    def word(self, value: int) -> None:
        """Take in a 64-bit identity: PDI, fabric GUID or device serial number."""
        old = f"{value:016x}"
        if len(bytes.fromhex(old).strip(b"\0")) < _LEAST_BYTES:
            return
        new = f"{0xFACE_0000_0000_0000 | self._number('word', old):016x}"
        self._add_text(old, new)
        for order in (1, -1):
            self._add(bytes.fromhex(old)[::order], bytes.fromhex(new)[::order])

    def free_text(self, text: str) -> None:
        """Take in a name somebody gave: a host name, a tag."""
        if len(text) >= _LEAST_BYTES:
            number = self._number("name", text)
            self._add_text(text, f"x{number}".ljust(len(text), "x")[: len(text)])

    def junk(self, raw: bytes) -> None:
        """Take in bytes that stand where an identity should, and are no text."""
        number = self._number("junk", raw.hex())
        self._add(raw, (b"\xff" * len(raw))[:-1] + bytes((0x80 | number & 0x3F,)))

    def in_bytes(self, data: bytes) -> bytes:
        """Return `data` with every identity replaced, longer forms first."""
        for old in sorted(self.forms, key=len, reverse=True):
            if old in data:
                data = data.replace(old, self.forms[old])
        return data

    def in_text(self, text: str) -> str:
        """Return `text` with every identity replaced."""
        return self.in_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")


def identities(inventory: Inventory, names: Iterable[str]) -> Placeholders:
    """Return placeholders for everything in `inventory` that names a thing, and for `names`.

    Args:
        inventory: a scan of the machine that was captured, unscrubbed.
        names: other words that must not remain, such as the host name.
    """
    placeholders = Placeholders()
    for chip in inventory.chips:
        _of_chip(placeholders, chip)
    hidden = [excluded.uuid for excluded in inventory.excluded]
    for uuid in (*(entry.uuid for entry in inventory.proc), *hidden):
        if uuid is not None:
            placeholders.uuid(uuid)
    for function in inventory.pci:
        if function.dsn is not None:
            placeholders.word(int(function.dsn, 16))
    _junk_of(placeholders, inventory.unread)
    for name in names:
        placeholders.free_text(name)
    return placeholders


def _of_chip(placeholders: Placeholders, chip: Chip) -> None:
    if chip.uuid is not None:
        placeholders.uuid(chip.uuid)
    if chip.pdi is not None:
        placeholders.word(int(chip.pdi, 16))
    if chip.serial is not None:
        placeholders.serial(chip.serial)
    if chip.hostname_tag:
        placeholders.free_text(chip.hostname_tag)
    if chip.platform is not None:
        _of_platform(placeholders, chip.platform)
    if chip.fabric is not None and chip.fabric.cluster.strip("0"):
        placeholders.uuid(chip.fabric.cluster)
    for child in chip.mig.children if chip.mig is not None else ():
        if child.uuid is not None:
            placeholders.uuid(child.uuid)
    _junk_of(placeholders, chip.unread)


def _of_platform(placeholders: Placeholders, platform: Platform) -> None:
    if platform.chassis_serial:
        placeholders.serial(platform.chassis_serial, kind="chassis")
    guid = bytes.fromhex(platform.ib_guid or "")
    for half in (guid[:8], guid[8:]):
        placeholders.word(int.from_bytes(half, "big"))


def _junk_of(placeholders: Placeholders, unread: Mapping[str, Unread]) -> None:
    for path, reason in unread.items():
        if reason.raw and path.rpartition(".")[2] in _IDENTITY_FIELDS:
            placeholders.junk(bytes.fromhex(reason.raw))


def scrub_tape(tape: Tape, placeholders: Placeholders) -> Tape:
    """Return `tape` with every identity replaced, in keys, texts and memory."""
    return Tape(
        calls={
            placeholders.in_text(key): tuple(_answer(answer, placeholders) for answer in answers)
            for key, answers in tape.calls.items()
        },
        absent=tape.absent,
    )


def _answer(answer: Answered, placeholders: Placeholders) -> Answered:
    outputs = tuple(
        output
        if output is None or ":" in output
        else placeholders.in_bytes(bytes.fromhex(output)).hex()
        for output in answer.outputs
    )
    text = None if answer.text is None else placeholders.in_text(answer.text)
    return Answered(code=answer.code, outputs=outputs, text=text)
