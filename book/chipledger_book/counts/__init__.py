"""Counting by hand: what to look at, how sure it makes, and what was found."""
