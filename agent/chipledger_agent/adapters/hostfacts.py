"""What the kernel says of the present boot."""

import hashlib
from pathlib import Path

from chipledger_agent.domain.failures import AgentCode, AgentError
from chipledger_agent.ports import Boot
from chipledger_evidence.codec import b64url_encode

_TAG = b"chipledger/boot/1\x00"


class KernelFacts:
    """Reads /proc under `root`."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._boot_id = root / "proc/sys/kernel/random/boot_id"
        self._uptime = root / "proc/uptime"

    def boot(self) -> Boot:
        """Return the present boot; the boot id itself stays on the host (docs/WIRE.md 3.1)."""
        try:
            boot_id = self._boot_id.read_bytes().strip()
            uptime_s = int(self._uptime.read_text(encoding="ascii").split(".")[0])
        except (OSError, ValueError) as error:
            raise AgentError(
                AgentCode.STATE_UNREADABLE,
                f"the kernel's boot id or uptime could not be read: {error}",
                hint="is /proc mounted and readable in this sandbox?",
            ) from error
        return Boot(
            bootseed=b64url_encode(hashlib.sha256(_TAG + boot_id).digest()), uptime_s=uptime_s
        )
