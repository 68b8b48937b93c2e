"""Parties that an authority authorised by name: a dated table.

A party of the ledger is the one that a row names when its declared name is the row's, letter
case aside, or when the row lists its id. A declaration is the operator's word, so a report says
which row it found, and a reader checks the paper.
"""

from datetime import date
from typing import Annotated

import msgspec

from chipledger_book.errors import Code, refuse
from chipledger_book.parties import Party
from chipledger_book.tables import Table, in_force_on, overlap
from chipledger_book.terms import Country, Force, Name, PartyName, Record, Text


class AuthorisedEntity(Record, frozen=True, kw_only=True):
    """One party on one list in one validity (days inclusive).

    Attributes:
        list: name of the list.
        name: name as published.
        status: legal status of the row.
        source: where it is published.
        valid_from: first day.
        aliases: other spellings.
        parties: ids of this ledger that are this party.
        countries: places it is authorised for; empty: any.
        valid_to: last day.
        note: what a reader should know.
    """

    list: Name
    name: Name
    status: Force
    source: Text
    valid_from: date
    aliases: tuple[Name, ...] = ()
    parties: tuple[PartyName, ...] = ()
    countries: tuple[Country, ...] = ()
    valid_to: date | None = None
    note: Text = ""

    def is_party(self, party: Party) -> bool:
        """Tell whether a party of the ledger is the one that is meant."""
        names = {name.casefold() for name in (self.name, *self.aliases)}
        return party.id in self.parties or party.name.casefold() in names


class AuthorisedEntities(Table, frozen=True, kw_only=True):
    """All named parties of one regime."""

    entities: Annotated[tuple[AuthorisedEntity, ...], msgspec.Meta(min_length=1)]

    def find(self, name: str, party: Party, *, country: str, day: date) -> AuthorisedEntity | None:
        """Return the row of a list that authorises a party in a country on a day, or None."""
        return next(
            (
                row
                for row in self.entities
                if row.list == name
                and in_force_on(day, row.valid_from, row.valid_to)
                and country in (row.countries or (country,))
                and row.is_party(party)
            ),
            None,
        )


def check_entities(table: AuthorisedEntities) -> AuthorisedEntities:
    """Return the table, once no party stands twice on a list on one day.

    Raises:
        BookError: `table-dates-overlap` or `table-dates-wrong`.
    """
    for position, row in enumerate(table.entities):
        where = f"entities[{position}]"
        if row.valid_to is not None and row.valid_to < row.valid_from:
            raise refuse(
                Code.TABLE_DATES_WRONG,
                f"{row.name} on {row.list} ends on {row.valid_to}, before it starts",
                where=f"{where}.valid_to",
                hint="give a last day on or after the first",
            )
        for other in table.entities[:position]:
            same = (other.list, other.name.casefold()) == (row.list, row.name.casefold())
            if same and overlap((row.valid_from, row.valid_to), (other.valid_from, other.valid_to)):
                raise refuse(
                    Code.TABLE_DATES_OVERLAP,
                    f"{row.name} stands twice on {row.list} on the same day",
                    where=where,
                    hint="end the older row the day before the newer starts",
                )
    return table
