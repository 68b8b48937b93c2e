"""What the collector does, over ports; no web, no SQL."""
