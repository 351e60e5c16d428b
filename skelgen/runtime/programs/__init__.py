"""BPF programs, one file a family."""
