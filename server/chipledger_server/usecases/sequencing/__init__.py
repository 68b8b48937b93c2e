"""What accepted reports change: one pure step after another, in the order of the log."""
