// Arrays: several dimensions, of structs, of pointers, of chars, zero-sized and flexible.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

typedef int vec3[3];

struct cell {
	__u16 id;
	__u8 bytes[3];
};

struct flexible {
	__u32 count;
	__u16 items[];
};

struct flexible_zero {
	__u64 head;
	__u8 data[0];
};

int one[4] = { 1, 2, 3, 4 };
int matrix[2][3] = { { 1, 2, 3 }, { 4, 5, 6 } };
__u8 cube[2][3][4] = { { { 1 }, { 2 } }, { { 3, 4, 5, 6 } } };
vec3 vector = { 7, 8, 9 };
vec3 vectors[2] = { { 1 }, { 2 } };
struct cell cells[3] = { { 1, { 2, 3, 4 } }, { 5 } };
struct cell grid[2][2];
void *pointers[2];
char text[8] = "hello";
char lines[2][6] = { "one", "three" };
_Bool flags[5] = { 1, 0, 1 };
float floats[2] = { 0.5f, -0.5f };
__int128 wides[2];
struct flexible flexible = { 3 };
struct flexible filled = { 2, { 10, 20 } };
struct flexible_zero flexible_zero = { 1 };
const volatile int table[5] = { 1, 1, 2, 3, 5 };
__u64 counters[16];

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64[4]);
} array_of_arrays SEC(".maps");

SEC("socket")
int use(void *ctx)
{
	__u32 i = one[1] & 3;

	counters[i] += matrix[1][2] + cube[1][0][3] + vector[2] + table[i];
	grid[1][0].id = cells[1].id + lines[1][0] + text[0];
	return bpf_map_lookup_elem(&array_of_arrays, &i) != 0;
}

char LICENSE[] SEC("license") = "GPL";
