// One program for each SEC() name of interfaces, routes, sockets and network namespaces.
#include "sections.h"

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct bpf_devmap_val);
} devices SEC(".maps"), devices_frags SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct bpf_cpumap_val);
} processors SEC(".maps"), processors_frags SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} streams SEC(".maps"), verdicts SEC(".maps"), plain SEC(".maps"), senders SEC(".maps");

/* Where frames go: 0 up the stack, 1 out of a device, 2 to another processor. */
int way;

__u64 xdp_hits, xdp_frags_hits;

__attribute__((noinline)) int replaced(struct xdp_md *ctx)
{
	volatile int result = XDP_PASS;

	return ctx ? result : XDP_ABORTED;
}

SEC("xdp")
int on_xdp(struct xdp_md *ctx)
{
	xdp_hits++;
	if (way == 1)
		return bpf_redirect_map(&devices, 0, 0);
	if (way == 2)
		return bpf_redirect_map(&processors, 0, 0);
	return replaced(ctx);
}

SEC("xdp.frags")
int on_xdp_frags(struct xdp_md *ctx)
{
	xdp_frags_hits++;
	if (way == 1)
		return bpf_redirect_map(&devices_frags, 0, 0);
	if (way == 2)
		return bpf_redirect_map(&processors_frags, 0, 0);
	return XDP_PASS;
}

COUNT("xdp/devmap", xdp_devmap, XDP_PASS)
COUNT("xdp/cpumap", xdp_cpumap, XDP_PASS)
COUNT("xdp.frags/devmap", xdp_frags_devmap, XDP_PASS)
COUNT("xdp.frags/cpumap", xdp_frags_cpumap, XDP_PASS)

COUNT("tc/ingress", tc_ingress, -1)
COUNT("tc/egress", tc_egress, -1)
COUNT("tcx/ingress", tcx_ingress, -1)
COUNT("tcx/egress", tcx_egress, -1)
COUNT("tc", tc, -1)
COUNT("classifier", classifier, -1)
COUNT("action", action, -1)
COUNT("netkit/primary", netkit_primary, -1)
COUNT("netkit/peer", netkit_peer, -1)

COUNT("lwt_in", lwt_in, 0)
COUNT("lwt_out", lwt_out, 0)
COUNT("lwt_xmit", lwt_xmit, 0)
COUNT("lwt_seg6local", lwt_seg6local, 0)

COUNT("flow_dissector", flow_dissector, 0)
COUNT("sk_lookup", sk_lookup, 1)
COUNT("netfilter", netfilter, 1)

COUNT("socket", socket, 0xffff)
COUNT("sk_reuseport", sk_reuseport, 1)
COUNT("sk_reuseport/migrate", sk_reuseport_migrate, 1)

__u64 sk_skb_stream_parser_hits;

SEC("sk_skb/stream_parser")
int on_sk_skb_stream_parser(struct __sk_buff *skb)
{
	sk_skb_stream_parser_hits++;
	return skb->len;
}

COUNT("sk_skb/stream_verdict", sk_skb_stream_verdict, 1)
COUNT("sk_skb/verdict", sk_skb_verdict, 1)
COUNT("sk_skb", sk_skb, 1)
COUNT("sk_msg", sk_msg, 1)

COUNT("lirc_mode2", lirc_mode2, 0)
