"""Enrolled keys, as the agents' doors read them: by hand-written statements, one host at a time."""

import sqlite3
from typing import Final

import msgspec

from chipledger_evidence.codec import b64url_encode
from chipledger_evidence.ids import NO_PREVIOUS, HostId, SiteId
from chipledger_evidence.keys import Jwk, load_jwk
from chipledger_evidence.verify import HostTrust
from chipledger_server.ports import KnownKey

_KEY: Final = """
    SELECT k.num, k.jwk, k.revoked_ms, h.num, h.id, h.site, s.test_site, r.at_ms
    FROM host_keys k JOIN hosts h ON h.id = k.host JOIN sites s ON s.id = h.site
    LEFT JOIN rounds r ON r.host = h.id
    WHERE k.kid = ?
"""
_NEWEST: Final = "SELECT seq, id FROM tokens WHERE host = ? ORDER BY seq DESC, id LIMIT 1"
MOST_SENT: Final = 64
"""Runs of a host whose inventories are known at a start; one of an older run is asked for anew."""
_SENT: Final = """
    SELECT DISTINCT i.digest, i.provider FROM (SELECT inventory FROM presence WHERE host = ?
    ORDER BY since_ms DESC, id DESC LIMIT ?) p JOIN inventories i ON i.digest = p.inventory
"""
_UNAPPLIED: Final = """
    SELECT i.digest, i.provider FROM tokens t JOIN inventories i ON i.token = t.pos
    WHERE t.pos > (SELECT token_pos FROM sequencer) AND t.host = ?
"""


class SqliteKeys:
    """Reads keys on a connection of its own, in the thread that asks."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def find(self, kid: str) -> KnownKey | None:
        """Return an enrolled key with the present head of its host's chain, or None."""
        row = self._connection.execute(_KEY, (kid,)).fetchone()
        if row is None:
            return None
        key_num, jwk, revoked_ms, host_num, host, site, test_site, round_ms = row
        newest = self._connection.execute(_NEWEST, (host_num,)).fetchone()
        sent = [*self._connection.execute(_SENT, (host, MOST_SENT))]
        sent += self._connection.execute(_UNAPPLIED, (host_num,))
        return KnownKey(
            trust=HostTrust(
                host=HostId(host),
                site=SiteId(site),
                key=load_jwk(msgspec.json.decode(jwk, type=Jwk)),
                revoked=revoked_ms is not None,
                test_site=bool(test_site),
            ),
            host_num=host_num,
            key_num=key_num,
            head_seq=0 if newest is None else newest[0],
            head_token=NO_PREVIOUS if newest is None else b64url_encode(newest[1]),
            inventories={b64url_encode(digest): provider for digest, provider in sent},
            round_ms=round_ms or 0,
        )
