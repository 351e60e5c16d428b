"""Memory that programs and Python share."""
