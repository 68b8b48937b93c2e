"""Shapes of NVML functions: each turns a field of the machine into one C function.

Layouts are those of nvml.h, packed here by hand and not taken from the binding, so that a
binding whose structs are wrong is found out.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Protocol

from chipledger_testing.nvml.border import Memory, RefusalError, memory, number, put, put_text
from chipledger_testing.nvml.machine import Answer, Gpu, Machine

Arguments = tuple[object, ...]


class Chip(Protocol):
    """What a device handle stands for: a GPU or one of its MIG devices."""

    @property
    def gpu(self) -> Gpu:
        """The GPU itself, or the parent of a MIG device."""
        ...

    @property
    def is_mig(self) -> bool:
        """Whether this is a MIG device."""
        ...

    def answer(self, name: str) -> Answer:
        """Return the answer described for field `name`."""
        ...


class Library(Protocol):
    """What a function needs to know of the library it belongs to."""

    @property
    def machine(self) -> Machine:
        """The host described."""
        ...

    def open(self, chip: Chip) -> int:
        """Give out the handle of a device."""
        ...

    def chip(self, argument: object) -> Chip:
        """Return the device of a handle; refuses handles nobody gave out, and lost devices."""
        ...

    def system(self, name: str) -> Answer:
        """Return the answer described for the system-wide field `name`."""
        ...

    def ready(self, answer: Answer) -> Answer:
        """Tell the delay of `answer` and return it; refuses when it is a refusal."""
        ...


Function = Callable[[Library, Arguments], int]
Source = Callable[[Library, Arguments], Answer]
Fill = Callable[[Answer], bytes]


def of_chip(field: str) -> Source:
    """Take the answer from the device whose handle is the first argument."""

    def source(library: Library, arguments: Arguments) -> Answer:
        return library.ready(library.chip(arguments[0]).answer(field))

    return source


def of_system(field: str) -> Source:
    """Take the answer from the system-wide fields."""

    def source(library: Library, arguments: Arguments) -> Answer:
        del arguments
        return library.ready(library.system(field))

    return source


def as_bytes(answer: Answer) -> bytes:
    """Return a text answer as the bytes the library writes; raw bytes win."""
    if answer.raw is not None:
        return answer.raw
    if not isinstance(answer.value, str):
        raise TypeError(f"a text is expected in the machine description: {answer.value!r}")
    return answer.value.encode()


def as_numbers(answer: Answer) -> tuple[int, ...]:
    """Return a number or a list of numbers as a tuple."""
    value = answer.value
    if isinstance(value, str):
        return (int(value, 16),)
    if isinstance(value, int):
        return (int(value),)
    if isinstance(value, tuple):
        return value
    raise TypeError(f"numbers are expected in the machine description: {value!r}")


def as_members(answer: Answer) -> Mapping[str, int | str]:
    """Return an object answer."""
    if not isinstance(answer.value, Mapping):
        raise TypeError(f"an object is expected in the machine description: {answer.value!r}")
    return answer.value


def text(source: Source, *, at: int = 1) -> Function:
    """`f(…, char *buffer, unsigned int length)`; the buffer is argument number `at`."""

    def call(library: Library, arguments: Arguments) -> int:
        answer = source(library, arguments)
        put_text(arguments[at], arguments[at + 1], as_bytes(answer))
        return 0

    return call


def fixed_text(field: str) -> Function:
    """`f(device, char *buffer)`, where the header fixes the length of the buffer."""

    def call(library: Library, arguments: Arguments) -> int:
        answer = of_chip(field)(library, arguments)
        memory(arguments[1]).write(as_bytes(answer) + b"\0")
        return 0

    return call


def numbers(source: Source, layouts: str, *, at: int = 1) -> Function:
    """`f(…, T1 *a, T2 *b, …)`: one out-parameter for each letter of `layouts`."""

    def call(library: Library, arguments: Arguments) -> int:
        answer = source(library, arguments)
        if answer.raw is not None:
            memory(arguments[at]).write(answer.raw)
            return 0
        values = as_numbers(answer)
        for position, (layout, value) in enumerate(zip(layouts, values, strict=True)):
            put(arguments[at + position], layout, value)
        return 0

    return call


def record(
    source: Source, layout: str, fill: Callable[[Answer], tuple[int | bytes, ...]], *, at: int = 1
) -> Function:
    """`f(…, struct *out)` without a version field."""

    def call(library: Library, arguments: Arguments) -> int:
        answer = source(library, arguments)
        target = memory(arguments[at])
        if answer.raw is not None:
            target.write(answer.raw)
        else:
            target.write(struct.pack("@" + layout, *fill(answer)))
        return 0

    return call


class Versions(dict[int, tuple[str, Callable[[Answer], tuple[int | bytes, ...]]]]):
    """Version number of a struct → layout after the version field, and how to fill it."""

    def word(self, number_: int) -> int:
        """Return the version word of nvml.h: sizeof(struct) | number << 24."""
        return struct.calcsize("@I" + self[number_][0]) | number_ << 24


def versioned(source: Source, versions: Versions, *, at: int = 1) -> Function:
    """`f(…, struct *out)` whose first field the caller sets to a version word.

    A word nobody knows is ArgumentVersionMismatch (25), before anything else is looked at.
    """

    def call(library: Library, arguments: Arguments) -> int:
        target = memory(arguments[at])
        number_ = known_version(target, versions)
        answer = source(library, arguments)
        layout, fill = versions[number_]
        word = versions.word(number_)
        if answer.raw is not None:
            target.write(struct.pack("@I", word) + answer.raw)
        else:
            target.write(struct.pack("@I" + layout, word, *fill(answer)))
        return 0

    return call


def known_version(target: Memory, versions: Versions) -> int:
    """Return which of `versions` the caller asks for, or refuse with code 25."""
    (asked,) = struct.unpack("@I", target.read(4))
    for candidate in versions:
        if versions.word(candidate) == asked:
            return candidate
    raise RefusalError(25)


def selected(fields: Mapping[int, str], inner: Callable[[Source, int], Function]) -> Function:
    """`f(device, enum which, …)`: the second argument selects the field."""

    def call(library: Library, arguments: Arguments) -> int:
        field = fields.get(number(arguments[1]))
        if field is None:
            raise RefusalError(2)
        return inner(of_chip(field), 2)(library, arguments)

    return call
