"""What a TPM 2.0 proves, checked without one.

Written to the TPM 2.0 Library specification (TCG, revision 1.59; ISO/IEC 11889:2015): part 1
architecture, part 2 structures, part 3 commands. Pure: bytes in, facts or `EvidenceError` out.
"""
