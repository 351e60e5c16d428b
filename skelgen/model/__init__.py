"""The blueprint of a BPF object, and the enumerations of the BPF UAPI."""
