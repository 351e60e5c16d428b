"""BPF links, one file a family."""
