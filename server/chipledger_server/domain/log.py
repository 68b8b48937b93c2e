"""How far the log is, and what has no place in it yet."""

from dataclasses import dataclass
from typing import Literal

Source = Literal["token", "record"]


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far the log is.

    Attributes:
        token_pos: newest applied token.
        record_pos: newest record with an index.
        refusal_pos: newest refusal looked at.
        log_size: entries in the log.
        pulse_ms: time of the newest entry.
        beat_ms: newest time at which a collector was known to accept.
    """

    token_pos: int
    record_pos: int
    refusal_pos: int
    log_size: int
    pulse_ms: int
    beat_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """A record that has no log index yet."""

    pos: int
    kind: str
    subject: str
    principal: str
    record: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRefusal:
    """A refusal as it is kept."""

    pos: int
    host: str
    token: bytes
    code: str
    detail: str
    received_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRecord:
    """A record in its place in the log."""

    kind: str
    subject: str
    record: bytes
