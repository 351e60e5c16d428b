"""BPF maps, one file a family."""
