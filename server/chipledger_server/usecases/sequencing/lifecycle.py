"""What people decided of hosts, and what TPMs tried, as the fold takes it up in log order."""

from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from chipledger_server.domain.findings import Kind
from chipledger_server.domain.hosts import HostState
from chipledger_server.usecases.decisions import Decision
from chipledger_server.usecases.keyring import TpmConflict
from chipledger_server.usecases.sequencing.noting import Noting
from chipledger_server.usecases.sequencing.store import SequenceStore

_SIGNS: Final = {
    "ek-of-another-host": "its TPM asked to be enrolled as another host",
    "another-ek": "another TPM asked for a key of this host",
}


class _Tagged(msgspec.Struct, frozen=True):
    """What tells records of one entry type apart."""

    conflict: str | None = None
    action: str | None = None


class LifecycleStore(Protocol):
    """Where hosts are, and whether they still are."""

    def forget_keys(self) -> None:
        """Read what is known of hosts' keys anew."""
        ...

    def move(self, host: str, site: str) -> None:
        """Put a host at another site from now on."""
        ...

    def retire(self, host: str, at_ms: int) -> None:
        """Write down that a host will not report any more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """Applies decisions about hosts.

    Attributes:
        store: state of hosts and timers.
        kept: where hosts are.
        noting: where findings go.
    """

    store: SequenceStore
    kept: LifecycleStore
    noting: Noting

    def take(self, subject: str, record: bytes) -> None:
        """Take up a record of type ``key`` or ``decision``; most say nothing of a host's life."""
        self.kept.forget_keys()
        tagged = msgspec.json.decode(record, type=_Tagged)
        if tagged.conflict is not None:
            self._conflict(msgspec.json.decode(record, type=TpmConflict))
        elif tagged.action in {"host-moved", "host-retired"}:
            decision = msgspec.json.decode(record, type=Decision)
            host = self.store.host_named(subject)
            self._end_run(host)
            if tagged.action == "host-moved":
                host.site = decision.detail["site"]
                self.kept.move(host.id, host.site)
            else:
                self._retire(host, decision.at)

    def _retire(self, host: HostState, at_ms: int) -> None:
        """Stop waiting for a host; its chips stay where the book has them."""
        self.kept.retire(host.id, at_ms)
        self.store.drop_timer(host.id)
        if host.silent_since_ms is not None:
            host.silent_since_ms, host.changed = None, True
            self.store.flush([host])
        self.noting.state(host, Kind.SILENT_HOST, "retired", at_ms=at_ms, detail=None)

    def _end_run(self, host: HostState) -> None:
        if host.run is not None and host.fresh_ms is not None:
            self.store.end_run(host.run, host.fresh_ms)
            host.run = None

    def _conflict(self, conflict: TpmConflict) -> None:
        host = self.store.host_named(conflict.host)
        detail = {"signs": [_SIGNS[conflict.what]], "ek": conflict.ek}
        self.noting.occurred(
            host,
            Kind.HOST_KEY_CLONED,
            f"{conflict.what}/{conflict.ek}",
            at_ms=conflict.at,
            detail=detail,
        )
