"""A pure-Python NVML library at the ctypes border.

An instance takes the place of the CDLL object in `pynvml.nvmlLib`, so that the binding's own
marshalling runs: version words, buffer sizes, decoding, pointer cache. Everything it answers
comes from one :class:`~chipledger_testing.nvml.machine.Machine`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pynvml

from chipledger_testing.nvml.border import RefusalError, handle
from chipledger_testing.nvml.functions import TABLE
from chipledger_testing.nvml.functions.kinds import Arguments, Chip, Function
from chipledger_testing.nvml.introduced import is_exported
from chipledger_testing.nvml.machine import Answer, Machine

_FIRST_HANDLE = 0x7F00_0000_0000
_HANDLE_STEP = 0x100
_LOST = 15


def no_delay(delay_ms: int) -> None:
    """Ignore delays: what unit tests want."""
    del delay_ms


class Export:
    """One exported function: callable, and open to attributes such as `restype`."""

    def __init__(self, name: str, call: Callable[[Arguments], object]) -> None:
        self.__name__ = name
        self._call = call
        self.restype: object = None
        self.argtypes: object = None

    def __call__(self, *arguments: object) -> object:
        """Call the function as ctypes would."""
        return self._call(arguments)


class MockLibrary:
    """A library that answers for one machine.

    Attributes:
        machine: the host it answers for.
        calls: names of the functions called so far, in order.
    """

    def __init__(self, machine: Machine, *, delay: Callable[[int], None] = no_delay) -> None:
        self.machine = machine
        self.calls: list[str] = []
        self._delay = delay
        self._initialised = 0
        self._handles: dict[int, Chip] = {}
        self._uses: dict[int, int] = {}
        self._exports: dict[str, Export] = {}

    def __getattr__(self, name: str) -> Export:
        """Return the exported function `name`, as dlsym would.

        Raises:
            AttributeError: the library has no such symbol.
        """
        if name.startswith("__"):
            raise AttributeError(name)
        export = self._exports.get(name)
        if export is None:
            export = self._exports[name] = self._export(name)
        return export

    def _export(self, name: str) -> Export:
        own: dict[str, Callable[[Arguments], object]] = {
            "nvmlInitWithFlags": self._init,
            "nvmlInit_v2": self._init,
            "nvmlShutdown": self._shutdown,
            "nvmlErrorString": _error_string,
        }
        absent = name in self.machine.absent_functions
        exported = is_exported(name, self.machine.driver_branch or 9999)
        if absent or not exported or name not in own.keys() | TABLE.keys():
            raise AttributeError(f"undefined symbol: {name}")
        if name in own:
            return Export(name, own[name])
        return Export(name, lambda arguments: self._call(name, TABLE[name], arguments))

    def _call(self, name: str, function: Function, arguments: Arguments) -> int:
        self.calls.append(name)
        if not self._initialised:
            return 1
        try:
            return function(self, arguments)
        except RefusalError as refusal:
            return refusal.code

    def _init(self, arguments: Arguments) -> int:
        del arguments
        self.calls.append("nvmlInitWithFlags")
        try:
            self.ready(self.machine.system.get("init", Answer()))
        except RefusalError as refusal:
            return refusal.code
        self._initialised += 1
        return 0

    def _shutdown(self, arguments: Arguments) -> int:
        del arguments
        if not self._initialised:
            return 1
        self._initialised -= 1
        if not self._initialised:
            self._handles.clear()
        return 0

    def ready(self, answer: Answer) -> Answer:
        """Tell the delay of `answer` and return it.

        Raises:
            RefusalError: the answer is a refusal.
        """
        if answer.delay_ms:
            self._delay(answer.delay_ms)
        if answer.err:
            raise RefusalError(answer.err)
        return answer

    def system(self, name: str) -> Answer:
        """Return the answer described for the system-wide field `name`."""
        return self.machine.system.get(name, Answer(err=3))

    def open(self, chip: Chip) -> int:
        """Give out a fresh opaque handle for `chip`."""
        value = _FIRST_HANDLE + len(self._handles) * _HANDLE_STEP
        self._handles[value] = chip
        return value

    def chip(self, argument: object) -> Chip:
        """Return the device of a handle.

        Raises:
            RefusalError: InvalidArgument (2) for a handle nobody gave out, GpuIsLost (15) for
                a device that fell off the bus after its number of calls.
        """
        chip = self._handles.get(handle(argument))
        if chip is None:
            raise RefusalError(2)
        limit = chip.gpu.lost_after_calls
        if limit is not None:
            key = id(chip.gpu)
            self._uses[key] = self._uses.get(key, 0) + 1
            if self._uses[key] > limit:
                raise RefusalError(_LOST)
        return chip


def _error_string(arguments: Arguments) -> bytes:
    return f"mock text of code {arguments[0]}".encode()


@contextmanager
def installed(library: object) -> Iterator[None]:
    """Make `library` what the binding calls, and put everything back afterwards.

    The binding caches function pointers for ever (even after its library is replaced), so the
    cache is cleared on the way in and on the way out.
    """
    before = pynvml.nvmlLib
    pynvml.nvmlLib = library
    pynvml._nvmlGetFunctionPointer_cache.clear()  # noqa: SLF001 - the cache has no other door
    try:
        yield
    finally:
        pynvml.nvmlLib = before
        pynvml._nvmlGetFunctionPointer_cache.clear()  # noqa: SLF001 - as above


__all__ = ["Export", "MockLibrary", "installed", "no_delay"]
