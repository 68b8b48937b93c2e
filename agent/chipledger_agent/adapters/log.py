"""Structured log: one JSON object a line on standard error."""

import sys
from typing import TextIO

import structlog


class JsonJournal:
    """Writes events with structlog.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``; events are info, trouble is warning.
        stream: where to; standard error when not given.
    """

    def __init__(self, *, level: str, stream: TextIO | None = None) -> None:
        self._logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
            structlog.WriteLogger(stream or sys.stderr),
            wrapper_class=structlog.make_filtering_bound_logger(level),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(sort_keys=True),
            ],
        )

    def event(self, name: str, **facts: str | int | bool | None) -> None:
        """Note something that went as intended."""
        self._logger.info(name, **facts)

    def trouble(self, name: str, **facts: str | int | bool | None) -> None:
        """Note something that a person may have to look at."""
        self._logger.warning(name, **facts)
