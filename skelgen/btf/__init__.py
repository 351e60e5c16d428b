"""BTF: the type format of BPF objects and of the kernel."""
