"""Chipledger: agent."""
