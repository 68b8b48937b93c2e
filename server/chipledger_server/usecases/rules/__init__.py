"""Tables of rules as a collector keeps them: shipped, proposed, approved, and chosen by date."""
