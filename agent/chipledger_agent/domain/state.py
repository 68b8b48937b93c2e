"""What the agent remembers between runs, beside the reports themselves.

Losing all of it costs one challenge and one full report; nothing here decides `seq`.
"""

import msgspec

from chipledger_agent.domain.plan import LastFull, LastQuote


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Contents of ``state.json``.

    Attributes:
        epoch: value of the collector's last answer, to be echoed; ``None`` when it is no good.
        last_full: newest full report that was not refused.
        want_full: the collector asked for a full report that is not spooled yet.
        contact_s: host clock of the last answer, Unix seconds; 0 when there was none.
        want_evidence: the collector asked for device evidence since the last round.
        last_round_s: host clock when devices were last asked, Unix seconds; 0 for never.
        last_quote: newest quote of the host's TPM.
    """

    epoch: str | None = None
    last_full: LastFull | None = None
    want_full: bool = False
    contact_s: int = 0
    want_evidence: bool = False
    last_round_s: int = 0
    last_quote: LastQuote | None = None
