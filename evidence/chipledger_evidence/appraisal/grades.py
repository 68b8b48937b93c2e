"""Evidence grades: how a chip is known."""

from enum import StrEnum
from typing import Final


class Grade(StrEnum):
    """How a chip is known, weakest first. Nothing under G2 is more than somebody's word."""

    G0 = "G0"  # declared: a document or a person says so
    G1 = "G1"  # self-reported: the driver says so and cross-checks pass
    G2 = "G2"  # answered a compute challenge
    G3 = "G3"  # signed by the chip itself over our nonce
    G4 = "G4"  # G3, and the measured location is consistent


GRADE_WORDS: Final = {
    Grade.G0: "declared",
    Grade.G1: "self-reported",
    Grade.G2: "challenged",
    Grade.G3: "chip-signed",
    Grade.G4: "chip-signed and located",
}
"""The honest word for each grade, for screens and tables."""
