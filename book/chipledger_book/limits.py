"""What Chipledger cannot see, said wherever a result is shown."""

from typing import Final

CANNOT_SEE: Final = (
    (
        "Chips that nobody declared and no agent reported: what never enters the book or the "
        "network is invisible here."
    ),
    (
        "Whether a self-reported chip (G1) is real: whoever has root on a host can make driver, "
        "kernel and agent say anything. G1 means that three views of the host agree, no more."
    ),
    "Who uses the chips, and from where: remote use leaves no trace in an inventory.",
    "Chips that are in store and not powered, between two physical counts.",
    "Where a host stands: a declared location is a declaration; nothing here is measured.",
    "A host that passes on the answers of chips that stand elsewhere.",
    "Collusion of everybody who keeps this record: operator, collector and every witness.",
)
"""Sentences for a person; the order is by how often an auditor should think of it."""
