"""CO-RE, as far as BTF alone decides it: what matches what, and what values are.

``types`` says when two types are the same, ``spec`` follows an access from one BTF
to another, ``reloc`` works values out. What a value does to an instruction, and
which BTF is the running kernel's, is the runtime's.
"""
