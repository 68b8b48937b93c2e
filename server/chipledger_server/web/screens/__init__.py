"""The screens: pages rendered here, no script, every number beside the words that limit it."""

from typing import Final

from litestar.handlers import HTTPRouteHandler

from chipledger_server.web.screens import (
    cases,
    closing,
    declaring,
    drill,
    entering,
    fleet,
    importing,
    ledger,
    parties,
    rules,
    sampling,
    session,
    waits,
)

SCREENS: Final[tuple[HTTPRouteHandler, ...]] = (
    *session.SCREENS,
    *fleet.SCREENS,
    *cases.SCREENS,
    *waits.SCREENS,
    *ledger.SCREENS,
    *rules.SCREENS,
    *parties.SCREENS,
    *entering.SCREENS,
    *importing.SCREENS,
    *declaring.SCREENS,
    *closing.SCREENS,
    *drill.SCREENS,
    *sampling.SCREENS,
)
"""Every route of the screens."""
