"""What the agents' doors remember of enrolled keys, so that a report costs no query."""

from typing import Final

from chipledger_evidence.claims import Heartbeat, SealedReport
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.token import Token, parse_header
from chipledger_evidence.verify import HostTrust, VerifiedToken
from chipledger_server.domain.arrival import Arrival
from chipledger_server.domain.packing import Base, Form
from chipledger_server.ports import KeyStore, KnownKey

MOST_REMEMBERED: Final = 65_536
"""Inventories remembered at most, in all and of one key.

A host may name a new one in every report. What is forgotten is opened, or asked for, once more.
"""


class Keys:
    """Enrolled keys by `kid`, read from the store when first used, until told to forget."""

    def __init__(self, store: KeyStore, *, most_remembered: int = MOST_REMEMBERED) -> None:
        self._store = store
        self._most_remembered = most_remembered
        self._known: dict[str, KnownKey] = {}
        self._opened: dict[str, str] = {}

    def find(self, kid: str) -> KnownKey | None:
        """Return an enrolled key, or None."""
        known = self._known.get(kid)
        if known is None:
            known = self._store.find(kid)
            if known is not None:
                self._known[kid] = known
                self._opened.update(known.inventories)
        return known

    def trust(self, kid: str) -> HostTrust | None:
        """Return what the verification pipeline needs of a key, or None."""
        known = self.find(kid)
        return None if known is None else known.trust

    def opened(self, digest: str) -> str | None:
        """Return the provider of an inventory that was opened and stored before, or None."""
        return self._opened.get(digest)

    def verified(self, kid: str) -> KnownKey:
        """Return a key that a token has just been verified with."""
        return self._known[kid]

    def of_token(self, token: Token) -> KnownKey | None:
        """Return the key an unverified token names, or None."""
        try:
            return self.find(parse_header(token.header).kid)
        except EvidenceError:
            return None

    def forget(self, kid: str | None = None) -> None:
        """Read a key anew when it is next used; without `kid`, all of them."""
        if kid is None:
            self._known.clear()
            self._opened.clear()
        else:
            self._known.pop(kid, None)

    def forget_host(self, host: str) -> None:
        """Read every key of a host anew when it is next used."""
        for kid in [kid for kid, known in self._known.items() if known.trust.host == host]:
            del self._known[kid]

    def stored(self, kid: str, verified: VerifiedToken, arrival: Arrival) -> None:
        """Take note that a token of this key is durable: head, inventory, and base."""
        known = self.find(kid)
        if known is None:
            return
        claims = verified.claims
        if claims.seq > known.head_seq:
            known.head_seq, known.head_token = claims.seq, verified.identity
        if claims.evidence or claims.no_evidence:
            known.round_ms = arrival.received_ms
        if not isinstance(claims, Heartbeat):
            for remembered in (known.inventories, self._opened):
                if len(remembered) >= self._most_remembered and claims.inv not in remembered:
                    remembered.clear()
        if isinstance(claims, SealedReport):
            known.inventories[claims.inv] = self._opened.get(claims.inv, "")
        elif not isinstance(claims, Heartbeat):
            kind = claims.inventory.provider.kind
            known.inventories[claims.inv] = self._opened[claims.inv] = kind
        if Form.BASED not in arrival.form:
            known.base = Base(
                pos=arrival.pos, text=arrival.text, inv=claims.inv, bootseed=claims.bootseed
            )
