"""Chipledger: audit."""
