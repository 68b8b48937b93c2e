"""Chipledger: evidence."""
