"""The real sides of the ports."""
