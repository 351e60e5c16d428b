// Maps of network devices, CPUs and sockets.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define SOCKETS(map_name, map_type)                    \
	struct {                                       \
		__uint(type, BPF_MAP_TYPE_##map_type); \
		__uint(max_entries, 4);                \
		__type(key, __u32);                    \
		__type(value, __u64);                  \
	} map_name SEC(".maps")

SOCKETS(sockmap, SOCKMAP);
SOCKETS(sockhash, SOCKHASH);
SOCKETS(reuseport, REUSEPORT_SOCKARRAY);

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} devmap SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 8);
	__uint(key_size, 4);
	__uint(value_size, 4);
} devmap_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct bpf_cpumap_val);
} cpumap SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} xskmap SEC(".maps");

SEC("xdp")
int redirect(struct xdp_md *ctx)
{
	return bpf_redirect_map(&devmap, ctx->ingress_ifindex & 7, XDP_PASS);
}

char LICENSE[] SEC("license") = "GPL";
