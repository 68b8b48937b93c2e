"""Closing a period of a site: freeze, two signatures, and restatements of what came late."""
