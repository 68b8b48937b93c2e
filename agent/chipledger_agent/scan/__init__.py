"""One look at the machine: three views, taken by a child process, one field at a time.

`child` runs in a process of its own, because NVML calls can hang for ever or crash; `parent`
starts it, waits no longer than its deadline and merges what it said into one inventory.
`nvml` is the only module that knows the NVML binding.
"""
