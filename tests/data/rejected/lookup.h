struct flow {
	__u64 packets;
	__u64 bytes;
};

static __always_inline __u64 flow_bytes(void *map, __u32 key)
{
	struct flow *flow;

	flow = bpf_map_lookup_elem(map, &key);
	return flow->bytes;
}
