"""Every call that crosses the border to the NVML library, written down for playing back.

A call is keyed by its name and normalised inputs: numbers, texts, sizes and contents of the
memory handed over, and handles renamed in the order of their first use. Its answer is the
return code and what it left in that memory. Addresses never reach the tape: pointers inside
structs are holes, and what they point to is written down as memory of its own.
"""

import ctypes
import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec

Arguments = tuple[object, ...]
HANDLE_MARK = "handle:"
_FIRST_HANDLE = 0x7F00_0000_0000
_HANDLE_STEP = 0x100
_WHOLE_BYTES = 64
_POINTER_BYTES = ctypes.sizeof(ctypes.c_void_p)
_BYREF = type(ctypes.byref(ctypes.c_int()))
_COUNT_OF = {"entries": "entryCount"}
"""Pointer member of a struct → member that says how many it points to (nvml.h)."""


class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one call answered.

    Attributes:
        code: return code.
        outputs: hex of each memory handed over, or ``handle:h3``; None where unchanged.
        text: the answer of a function that returns text.
    """

    code: int = 0
    outputs: tuple[str | None, ...] = ()
    text: str | None = None


class Tape(msgspec.Struct, frozen=True, kw_only=True):
    """A recording of one library on one machine.

    Attributes:
        calls: key of a call → its answers, in order, equal neighbours once.
        absent: functions that were asked for and that the library lacked.
    """

    calls: dict[str, tuple[Answered, ...]]
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """Memory handed over for an answer.

    Attributes:
        address: where it is.
        size: how many bytes the caller owns there.
        holes: offsets of pointers in it, which are neither written down nor overwritten.
        is_handle: it takes an opaque handle.
    """

    address: int
    size: int
    holes: tuple[int, ...] = ()
    is_handle: bool = False

    def read(self) -> bytes:
        """Return its bytes with the holes as zeros."""
        data = bytearray(ctypes.string_at(self.address, self.size))
        for hole in self.holes:
            data[hole : hole + _POINTER_BYTES] = bytes(_POINTER_BYTES)
        return bytes(data)

    def write(self, data: bytes) -> None:
        """Write `data` at the start, leaving the holes as they are."""
        kept = {hole: ctypes.string_at(self.address + hole, _POINTER_BYTES) for hole in self.holes}
        ctypes.memmove(self.address, data, min(len(data), self.size))
        for hole, pointer in kept.items():
            ctypes.memmove(self.address + hole, pointer, _POINTER_BYTES)

    def pointer(self) -> int:
        """Return the address-sized word at the start: the value of an opaque handle."""
        return int.from_bytes(ctypes.string_at(self.address, _POINTER_BYTES), "little")


def _is_opaque(kind: type) -> bool:
    return issubclass(kind, ctypes.Structure) and not hasattr(kind, "_fields_")


def _is_pointer(value: object) -> bool:
    return isinstance(value, ctypes._Pointer)  # noqa: SLF001 - the base of every POINTER()


def _pointee(value: Any) -> type:  # noqa: ANN401 - a ctypes pointer
    kind: type = value._type_
    return kind


def _targets(value: Any) -> list[Target]:  # noqa: ANN401 - a ctypes object
    """Return the memory of a ctypes object, and the memory its pointers lead to."""
    if _is_pointer(value) and _is_opaque(_pointee(value)):
        return [Target(ctypes.addressof(value), _POINTER_BYTES, is_handle=True)]
    fields = getattr(value, "_fields_", ()) if isinstance(value, ctypes.Structure) else ()
    holes: list[int] = []
    behind: list[Target] = []
    for name, kind, *_ in fields:
        if not issubclass(kind, ctypes._Pointer):  # noqa: SLF001 - as above
            continue
        holes.append(getattr(type(value), name).offset)
        pointer = getattr(value, name)
        if pointer:
            count = int(getattr(value, _COUNT_OF[name])) if name in _COUNT_OF else 1
            size = ctypes.sizeof(_pointee(pointer)) * count
            behind.append(Target(ctypes.addressof(pointer.contents), size))
    return [Target(ctypes.addressof(value), ctypes.sizeof(value), tuple(holes)), *behind]


def outputs(arguments: Arguments) -> list[Target]:
    """Return all memory that `arguments` hand over, in order."""
    found: list[Target] = []
    for argument in arguments:
        value: Any = argument
        if isinstance(value, _BYREF):
            found += _targets(getattr(value, "_obj"))  # noqa: B009 - typeshed does not know it
        elif _is_pointer(value) and not _is_opaque(_pointee(value)):
            if value:
                found += _targets(value.contents)
        elif isinstance(value, ctypes.Array | ctypes.Structure):
            found += _targets(value)
    return found


class CallKeys:
    """Gives calls their keys and handles their names; one for each recording or playing."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def handle_name(self, value: int) -> str:
        """Return the name of a handle, a new one at its first use."""
        return self._names.setdefault(value, f"h{len(self._names)}")

    def handle_value(self, mark: str) -> int:
        """Return a value that stands for the handle of this name when playing."""
        name = mark.removeprefix(HANDLE_MARK)
        value = _FIRST_HANDLE + int(name[1:]) * _HANDLE_STEP
        self._names[value] = name
        return value

    def key(self, name: str, arguments: Arguments) -> str:
        """Return the key of a call. It must be made before the call writes its answer."""
        return f"{name}({','.join(self._part(argument) for argument in arguments)})"

    def _part(self, argument: Any) -> str:  # noqa: ANN401 - whatever the binding passes
        if argument is None:
            return "null"
        if _is_pointer(argument) and _is_opaque(_pointee(argument)):
            return self.handle_name(ctypes.cast(argument, ctypes.c_void_p).value or 0)
        targets = outputs((argument,))
        if targets:
            return "+".join(_content(target) for target in targets)
        value = getattr(argument, "value", argument)
        return (
            "null" if value is None else str(value.decode() if isinstance(value, bytes) else value)
        )


def _content(target: Target) -> str:
    if target.is_handle:
        return "handle"
    data = target.read().rstrip(b"\0")
    shown = data.hex() if len(data) <= _WHOLE_BYTES else hashlib.sha256(data).hexdigest()[:16]
    return f"{target.size}:{shown}"


class Recorder:
    """Stands between the binding and a library, and writes everything down."""

    def __init__(self, library: object) -> None:
        self._library = library
        self._keys = CallKeys()
        self._calls: dict[str, list[Answered]] = {}
        self._absent: set[str] = set()
        self._functions: dict[str, _Recorded] = {}

    def __getattr__(self, name: str) -> "_Recorded":
        """Return the library's function `name`, recorded.

        Raises:
            AttributeError: the library lacks it; the tape says so.
        """
        known = self._functions.get(name)
        if known is not None:
            return known
        try:
            function = getattr(self._library, name)
        except AttributeError:
            self._absent.add(name)
            raise
        return self._functions.setdefault(name, _Recorded(name, function, self))

    def call(self, name: str, function: Any, arguments: Arguments) -> object:  # noqa: ANN401 - foreign
        """Call `function` and write down what came of it."""
        key = self._keys.key(name, arguments)
        before = [target.read() for target in outputs(arguments)]
        result: object = function(*arguments)
        targets = outputs(arguments)
        if isinstance(result, bytes):
            answered = Answered(text=result.decode("utf-8", "replace"))
        elif isinstance(result, int):
            left = tuple(
                self._left(target, was) for target, was in zip(targets, before, strict=False)
            )
            answered = Answered(code=result, outputs=left)
        else:
            return result
        answers = self._calls.setdefault(key, [])
        if not answers or answers[-1] != answered:
            answers.append(answered)
        return result

    def _left(self, target: Target, before: bytes) -> str | None:
        if target.is_handle:
            value = target.pointer()
            return f"{HANDLE_MARK}{self._keys.handle_name(value)}" if value else None
        after = target.read()
        if after == before:
            return None
        if len(after) > _WHOLE_BYTES:  # long buffers: up to the end of what was written
            after = after[: len(after.rstrip(b"\0")) + 1]
        return after.hex()

    def tape(self) -> Tape:
        """Return everything written down so far."""
        calls = {key: tuple(answers) for key, answers in sorted(self._calls.items())}
        return Tape(calls=calls, absent=tuple(sorted(self._absent)))


class _Recorded:
    """One function of the library, recorded."""

    def __init__(self, name: str, function: Any, recorder: Recorder) -> None:  # noqa: ANN401 - foreign
        self._name = name
        self._function = function
        self._recorder = recorder

    @property
    def restype(self) -> object:
        """Type of the result, as ctypes keeps it."""
        return self._function.restype

    @restype.setter
    def restype(self, kind: object) -> None:
        self._function.restype = kind

    def __call__(self, *arguments: object) -> object:
        """Call the function through the recorder."""
        return self._recorder.call(self._name, self._function, arguments)
