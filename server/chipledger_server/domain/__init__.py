"""Decisions of the collector as pure functions: no clock, no file, no socket, no SQL."""
