#!/bin/bash
# Made the objects beside it, on Debian 12 with clang-14 and libbpf-dev installed, and
# with ziglang 0.17.1 (clang 22) in the Python named by $PYTHON. They are committed so
# that what older compilers and other byte orders write is tested everywhere.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
include=/usr/include/$(cc -print-multiarch)
flags=(-O2 -g -mcpu=v3 -D__TARGET_ARCH_x86 -fdebug-compilation-dir=. -idirafter "$include")

for name in core_fields maps_inner_struct maps_nested ringbuf struct_ops subprogs types_bitfields types_structs; do
    # clang before 13 wrote .eh_frame by itself.
    [[ $name == subprogs ]] && tables=-funwind-tables || tables=
    clang-14 -target bpfel "${flags[@]}" $tables -c $name.bpf.c -o objects/$name.clang14.bpf.o
done
for name in core_fields instructions maps_nested ringbuf subprogs_callbacks types_bitfields types_structs; do
    "$python" -m ziglang clang -target bpfeb "${flags[@]}" -c $name.bpf.c -o objects/$name.big.bpf.o
done
clang-14 -target bpfeb "${flags[@]}" -c ringbuf.bpf.c -o objects/ringbuf.clang14.big.bpf.o
# As bpftool gen object writes it: no DWARF, DATASEC sizes and offsets filled in.
bpftool gen object objects/ringbuf.linked.bpf.o objects/ringbuf.clang14.bpf.o
