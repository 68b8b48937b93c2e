"""The book: entering what was licensed and delivered, and balancing it with what was seen."""
