"""What the bytes prove: tokens, keys, log entries and the pipeline that checks them.

Pure: no file, socket, clock or random source is touched here; time, randomness and trust
are arguments. Holding a :class:`~chipledger_evidence.verify.VerifiedToken` proves that the
holder of an enrolled host key signed exactly these bytes. It does not prove that what the
host said is true: see docs/THREATS.md.
"""
