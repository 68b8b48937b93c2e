"""Limits of a rule set, measured and judged by one engine that knows no rule set."""
