"""The auditor's tools: check evidence without trusting whoever kept it, and without a network."""
