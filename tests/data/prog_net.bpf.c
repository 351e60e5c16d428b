// Programs of sockets, sockmaps, network namespaces and light-weight tunnels.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define PROGRAM(section, name, context, result) \
	SEC(section)                            \
	int name(struct context *ctx)           \
	{                                       \
		return result;                  \
	}

PROGRAM("socket", filter, __sk_buff, 0)
PROGRAM("sk_skb/stream_parser", parser, __sk_buff, 0)
PROGRAM("sk_skb/stream_verdict", verdict, __sk_buff, SK_PASS)
PROGRAM("sk_skb", skb, __sk_buff, SK_PASS)
PROGRAM("sk_msg", msg, sk_msg_md, SK_PASS)
PROGRAM("sk_reuseport", reuseport, sk_reuseport_md, SK_PASS)
PROGRAM("sk_reuseport/migrate", migrate, sk_reuseport_md, SK_PASS)
PROGRAM("sk_lookup", lookup, bpf_sk_lookup, SK_PASS)
PROGRAM("flow_dissector", dissect, __sk_buff, BPF_OK)
PROGRAM("lwt_in", tunnel_in, __sk_buff, BPF_OK)
PROGRAM("lwt_out", tunnel_out, __sk_buff, BPF_OK)
PROGRAM("lwt_xmit", tunnel_xmit, __sk_buff, BPF_OK)
PROGRAM("lwt_seg6local", seg6, __sk_buff, BPF_OK)

char LICENSE[] SEC("license") = "GPL";
