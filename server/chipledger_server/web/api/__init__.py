"""The read-only JSON API, version 1: whatever a screen shows, and the raw record behind it.

Handlers are thin: who asks, what is asked, which use case answers. What a reader may see is
decided in the use cases by the scope of the look, so a screen and its API never differ.
"""
