"""Attacks on the real collector, staged in this process under a clock that stands still."""
