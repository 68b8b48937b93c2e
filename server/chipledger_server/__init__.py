"""Chipledger: server."""
