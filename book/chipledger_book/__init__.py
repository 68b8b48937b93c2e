"""Chipledger: book."""
