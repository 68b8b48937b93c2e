"""What a GPU can prove about itself: NVIDIA SPDM 1.1 reports and certificate chains.

Pure and offline. :func:`chipledger_evidence.gpu.verify.verify_evidence` turns bytes into facts,
:func:`chipledger_evidence.gpu.witness.cross_witness` holds the switches' facts against a host.
Normative text: docs/EVIDENCE.md.
"""
