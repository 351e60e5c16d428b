// A struct that ends as the name of a class of the skeleton.
// error: TypeTakesClassMaps
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct type_takes_class_maps {
	int a;
};

struct type_takes_class_maps taken = { 1 };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} map SEC(".maps");

SEC("socket")
int use(void *ctx)
{
	int zero = 0;

	return taken.a + (bpf_map_lookup_elem(&map, &zero) != 0);
}

char LICENSE[] SEC("license") = "GPL";
