"""The agent's decisions, without any I/O: what to send, in which order, what may be dropped."""
