"""Programs and libraries on this machine: their ELF symbols."""
