// The cgroup hooks of unix sockets (Linux 6.7).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define HOOK(section, name)                   \
	SEC(section)                          \
	int name(struct bpf_sock_addr *ctx)   \
	{                                     \
		return 1;                     \
	}

HOOK("cgroup/connect_unix", connect_unix)
HOOK("cgroup/sendmsg_unix", sendmsg_unix)
HOOK("cgroup/recvmsg_unix", recvmsg_unix)
HOOK("cgroup/getpeername_unix", getpeername_unix)
HOOK("cgroup/getsockname_unix", getsockname_unix)

char LICENSE[] SEC("license") = "GPL";
