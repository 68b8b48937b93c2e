"""A generated year of a fictional operator: what is true, what papers say, what hosts report.

The generator knows where every chip is at every time. The product gets records of the ledger, each
with the time at which it was entered, and sightings as a collector would have them; nothing else.
The same scale and seed give the same year.
"""
