"""Whose quantities are added up: one name for each subject of a ceiling or limit."""

from chipledger_book.limit_kinds import Subject
from chipledger_book.parties import Site


def subject_of(subject: Subject, site: Site) -> str:
    """Return the name of the subject that a site, in one form it was declared in, counts for.

    A company in a country is written ``parent/CC``.
    """
    if subject == "site":
        return site.id
    if subject == "consignee":
        return site.consignee.id
    if subject == "ultimate-parent":
        return site.ultimate_parent.id
    if subject == "country":
        return site.country
    return f"{site.ultimate_parent.id}/{site.country}"
