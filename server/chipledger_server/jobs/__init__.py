"""Loops that run beside the doors: they call use cases and hold no rules of their own."""
