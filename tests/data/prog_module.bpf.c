// Functions of kernel modules, by name and with the module's: loaded on demand.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sk_buff;
struct net_device;

int entered;
int left;
int probed;

SEC("?fentry/dummy:dummy_xmit")
int BPF_PROG(of_module, struct sk_buff *skb, struct net_device *dev)
{
	__sync_fetch_and_add(&entered, 1);
	return 0;
}

SEC("?fexit/dummy_xmit")
int BPF_PROG(by_name, struct sk_buff *skb, struct net_device *dev, int result)
{
	__sync_fetch_and_add(&left, 1);
	return 0;
}

SEC("?kprobe/dummy_xmit")
int probe(void *ctx)
{
	__sync_fetch_and_add(&probed, 1);
	return 0;
}

SEC("?kprobe.multi/dummy_*")
int many(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
