"""Samples of a site's chips: planned, committed to, drawn, counted and concluded."""
