"""Records that come out of the kernel."""
