"""One cycle: scan, sign, spool, deliver, over ports and without any I/O of its own.

The order of writes, and why a crash between any two of them loses and doubles nothing:

1. sign, in memory. A crash loses a token that nobody saw; its number is used again.
2. keep it in the spool: temporary file, fsync, rename, fsync of the folder. A crash leaves the
   report or not; it was not sent in either case. From here on its file name is the chain's
   head, so its number is never used again, even if its bytes should become unreadable.
3. the small state: the full report it was, the request it answered. A crash before costs one
   more full report.
4. send. A crash before or after: it is sent again and gets the same answer, because the
   collector knows it by its identity.
5. what the report told (refused ones) is filed as told; a crash after: sent again, told again.
6. the report is moved to those sent. A crash before: step 4 again.
7. the small state: epoch value, wishes. A crash before: an older value is echoed, which is
   *late* at worst.

Skips are counted against the chain's head: once a token continues that head it has carried the
count, so no write is needed to reset it and none is counted twice.
"""

from chipledger_agent.cycle.cycle import Cycle, Ports, Settings
from chipledger_agent.cycle.outcome import Outcome, Signed

__all__ = ["Cycle", "Outcome", "Ports", "Settings", "Signed"]
