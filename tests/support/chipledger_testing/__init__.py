"""Test support: fakes that behave, simulators, builders. Never shipped."""
