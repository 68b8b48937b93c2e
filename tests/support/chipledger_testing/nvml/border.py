"""The ctypes border seen from the library's side: memory to fill, numbers to read.

The binding passes `byref(x)`, arrays, pointers, numbers and None. Here they become
:class:`Memory` (an address and the bytes the caller really owns there) and plain integers.
Writing past what the caller owns is memory corruption in C; here it is :class:`OverrunError`.
"""

import ctypes
import struct
from dataclasses import dataclass
from typing import Any


class RefusalError(Exception):
    """The call ends with this NVML return code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class OverrunError(AssertionError):
    """The caller handed over less memory than the C function would write."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of the caller: its address and how many bytes of it the caller owns."""

    address: int
    size: int

    def read(self, count: int) -> bytes:
        """Return the first `count` bytes."""
        if count > self.size:
            raise OverrunError(f"{count} bytes read of {self.size}")
        return ctypes.string_at(self.address, count)

    def write(self, data: bytes) -> None:
        """Write `data` at the start."""
        if len(data) > self.size:
            raise OverrunError(f"{len(data)} bytes written into {self.size}")
        ctypes.memmove(self.address, data, len(data))


_BYREF = type(ctypes.byref(ctypes.c_int()))


def memory(argument: object) -> Memory:
    """Return the memory an out-parameter points to.

    Raises:
        RefusalError: InvalidArgument (2) for a null pointer, as the C library answers.
    """
    if isinstance(argument, _BYREF):
        target: Any = getattr(argument, "_obj")  # noqa: B009 - typeshed does not know it
        return Memory(ctypes.addressof(target), ctypes.sizeof(target))
    if isinstance(argument, ctypes._Pointer):  # noqa: SLF001 - the base of every POINTER()
        if ctypes.cast(argument, ctypes.c_void_p).value is None:
            raise RefusalError(2)
        target = argument.contents
        return Memory(ctypes.addressof(target), ctypes.sizeof(target))
    if isinstance(argument, ctypes.Array | ctypes.Structure):
        return Memory(ctypes.addressof(argument), ctypes.sizeof(argument))
    raise RefusalError(2)


def number(argument: object) -> int:
    """Return the integer passed by value."""
    value = getattr(argument, "value", argument)
    if not isinstance(value, int):
        raise RefusalError(2)
    return value


def text(argument: object) -> str:
    """Return the text passed as `const char *`."""
    value = getattr(argument, "value", argument)
    if not isinstance(value, bytes):
        raise RefusalError(2)
    return value.decode()


def handle(argument: object) -> int:
    """Return the opaque handle passed by value (a pointer that nobody follows)."""
    if isinstance(argument, ctypes._Pointer):  # noqa: SLF001 - the base of every POINTER()
        return ctypes.cast(argument, ctypes.c_void_p).value or 0
    return number(argument)


def put_handle(argument: object, value: int) -> None:
    """Write an opaque handle into the caller's handle variable."""
    memory(argument).write(struct.pack("@P", value))


def put_text(buffer: object, length: object, data: bytes) -> None:
    """Write zero-terminated `data` into a buffer of `length` bytes.

    Raises:
        RefusalError: InsufficientSize (7) when it does not fit.
    """
    if len(data) + 1 > number(length):
        raise RefusalError(7)
    memory(buffer).write(data + b"\0")


def put(argument: object, layout: str, *values: int | bytes) -> None:
    """Write C values in the native `layout` (struct module) at an out-parameter."""
    memory(argument).write(struct.pack("@" + layout, *values))
