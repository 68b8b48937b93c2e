"""`make demo`: a collector, simulated hosts at three sites, and something for an auditor to find.

Real programs from end to end, agent and collector each in processes of their own over HTTP on
loopback; only the chips are simulated, which the signed records say (`provider` is ``mock``).
"""
