"""Appraisal: from facts to a grade, to an attestation result, and to what can be expected of it.

Pure. What counts as which grade is dated data with a digest (`policy`), so that a verdict names
the rule it followed and can be computed again years later.
"""
