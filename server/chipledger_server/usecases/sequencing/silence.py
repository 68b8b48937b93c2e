"""Silent hosts and mass silence, found by timers that live in the database.

A timer is lazy: it fires when a host *may* be silent, looks at when the host was last seen, and
is set again if it was seen since. So a report writes no timer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chipledger_server.config import Policy
from chipledger_server.domain.findings import About, Kind
from chipledger_server.domain.hosts import HostState, LoggedToken
from chipledger_server.domain.liveness import Span, is_mass, look, most_within
from chipledger_server.usecases.sequencing.noting import Noting
from chipledger_server.usecases.sequencing.store import SequenceStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Looks at quiet hosts.

    Attributes:
        store: where hosts and timers are kept.
        noting: where findings go.
        policy: what counts as silent.
    """

    store: SequenceStore
    noting: Noting
    policy: Policy

    def enrolled(self, host: HostState) -> None:
        """Begin to wait for a host."""
        self.store.set_timer(host.id, host.enrolled_ms + self.policy.silence_limit_ms + 1)

    def returned(self, host: HostState, token: LoggedToken) -> None:
        """End the silence of a host that a fresh token has come from."""
        host.silent_since_ms, host.back_ms = None, token.received_ms
        self.store.flush([host])
        self.noting.condition(host, Kind.SILENT_HOST, token, None)
        self.store.set_timer(host.id, token.received_ms + self.policy.silence_limit_ms + 1)
        mass = self.store.open_finding(Kind.MASS_SILENCE, host.site)
        if mass is not None:
            hosts, silent_ms = self.store.silent_in(host.site)
            if not is_mass(len(silent_ms), hosts, percent=self.policy.mass_silence_percent):
                self.noting.resolve(mass, token.received_ms)

    def look(self, now_ms: int, downtime: Sequence[Span]) -> None:
        """Fire every timer that is due."""
        sites: dict[str, None] = {}
        for host in self.store.due(now_ms):
            seen_ms = host.enrolled_ms if host.fresh_ms is None else host.fresh_ms
            found = look(
                seen_ms, now_ms=now_ms, limit_ms=self.policy.silence_limit_ms, downtime=downtime
            )
            if not found.silent:
                self.store.set_timer(host.id, found.again_ms)
                continue
            self.store.drop_timer(host.id)
            self._silent(host, seen_ms, now_ms)
            self.store.flush([host])
            sites[host.site] = None
        for site in sites:
            self._mass(site, now_ms)

    def _silent(self, host: HostState, seen_ms: int, now_ms: int) -> None:
        host.silent_since_ms, host.changed = seen_ms, True
        about = About(kind=Kind.SILENT_HOST, subject=host.id, site=host.site, host=host.id)
        detail = {"last_seen_ms": seen_ms, "limit_ms": self.policy.silence_limit_ms}
        host.open[Kind.SILENT_HOST] = self.noting.begin(about, str(seen_ms), now_ms, detail)

    def _mass(self, site: str, now_ms: int) -> None:
        if self.store.open_finding(Kind.MASS_SILENCE, site) is not None:
            return
        hosts, silent_ms = self.store.silent_in(site)
        together = most_within(silent_ms, self.policy.mass_silence_window_s * 1000)
        if is_mass(together, hosts, percent=self.policy.mass_silence_percent):
            about = About(kind=Kind.MASS_SILENCE, subject=site, site=site)
            detail = {"hosts": hosts, "silent": together}
            self.noting.begin(about, str(now_ms), now_ms, detail)
