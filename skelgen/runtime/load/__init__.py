"""An object into the kernel, in libbpf's order."""
