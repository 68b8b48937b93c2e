"""Three ways to a chip's own signature behind one port: NVML, `nvattest`, the BMC's Redfish.

Each is an :class:`~chipledger_agent.ports.EvidenceSource`: asked rarely, one at a time, with a
deadline; what fails is a reason with a code, never an exception.
"""
