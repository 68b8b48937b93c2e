"""Every schema this project ever had, as steps."""
