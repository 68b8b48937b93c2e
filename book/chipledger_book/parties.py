"""Sites and the parties that stand behind them."""

from typing import Annotated

import msgspec

from chipledger_book.terms import Country, Name, PartyName, Record, Text
from chipledger_evidence.ids import SiteName


class Party(Record, frozen=True, kw_only=True):
    """A legal person: operator, consignee or ultimate parent.

    Attributes:
        id: our name for it, the same wherever the same person appears.
        name: legal name.
        headquarters: country of its headquarters.
    """

    id: PartyName
    name: Name
    headquarters: Country


class Place(Record, frozen=True, kw_only=True):
    """Where the site is, as declared. A declaration is never a measured location.

    Degrees are in millionths, integers, so that the format holds no floats.
    """

    address: Text = ""
    latitude_microdegrees: Annotated[int, msgspec.Meta(ge=-90_000_000, le=90_000_000)] | None = None
    longitude_microdegrees: Annotated[int, msgspec.Meta(ge=-180_000_000, le=180_000_000)] | None = (
        None
    )


class Site(Record, frozen=True, kw_only=True):
    """One licensed place.

    Attributes:
        id: our name for it.
        name: what people call it.
        country: country of location.
        operator: who runs the hosts.
        consignee: who receives and owns the chips.
        ultimate_parent: the party with ultimate ownership of the consignee.
        test: accepts simulated chips; its numbers are never added to real sites.
        place: declared location.
    """

    id: SiteName
    name: Name
    country: Country
    operator: Party
    consignee: Party
    ultimate_parent: Party
    test: bool = False
    place: Place | None = None
