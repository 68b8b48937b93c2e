"""Closing periods: freezing them, signing them off, restating them, and their reports."""
