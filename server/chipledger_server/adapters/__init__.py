"""Adapters: the only modules that name a database, a clock or a file."""
