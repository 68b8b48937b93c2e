"""What things cost, in units of one signature verification measured in the same run."""
