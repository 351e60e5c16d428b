// A map definition that is static.
// error: map 'local': is static
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} local SEC(".maps");

SEC("socket")
int use(void *ctx)
{
	int zero = 0;

	return bpf_map_lookup_elem(&local, &zero) != 0;
}

char LICENSE[] SEC("license") = "GPL";
