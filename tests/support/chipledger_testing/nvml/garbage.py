"""An NVML library that answers with noise: any code, any bytes, functions that are not there."""

import ctypes
from dataclasses import dataclass
from random import Random

from chipledger_agent.scan.source import LoadedLibrary
from chipledger_agent.scan.tape import outputs

_HANDLE = (0x1000).to_bytes(8, "little")
_CODES = (1, 2, 3, 4, 6, 9, 13, 15, 18, 25, 27, 999, -1, 70_000, 2**31 - 1, -(2**31))
_COUNTS = ("nvmlDeviceGetCount_v2", "nvmlGetExcludedDeviceCount")


@dataclass
class NoiseLibrary:
    """Stands where the binding expects a CDLL; what it answers depends on `random` alone."""

    random: Random

    def __getattr__(self, name: str) -> "_Noise":
        """Return the function `name`, or lack it now and then."""
        if not name.startswith("nvml") or self.random.random() < 0.03:
            raise AttributeError(name)
        return _Noise(name, self.random)


@dataclass
class _Noise:
    name: str
    random: Random
    restype: object = None

    def __call__(self, *arguments: object) -> object:
        if self.name.startswith(("nvmlInit", "nvmlShutdown")):
            return 0
        if self.random.random() < 0.15:
            return self.random.choice(_CODES)
        for target in outputs(arguments):
            if target.is_handle:
                ctypes.memmove(target.address, _HANDLE, len(_HANDLE))
            elif self.name in _COUNTS:
                target.write(self.random.randrange(6).to_bytes(4, "little"))
            elif self.random.random() < 0.7:
                target.write(self._bytes(target.size))
        return 0

    def _bytes(self, size: int) -> bytes:
        noise = (
            self.random.randbytes(size),
            b"\xff" * size,
            bytes(size),
            b"A" * size,
            ("é" * size).encode()[:size],
        )
        return self.random.choice(noise)


@dataclass
class NoiseSource:
    """Gives a `NoiseLibrary` to the scan."""

    random: Random
    kind: str = "noise"

    def load(self) -> LoadedLibrary:
        """Return the library."""
        return LoadedLibrary(calls=NoiseLibrary(self.random), unread={})
