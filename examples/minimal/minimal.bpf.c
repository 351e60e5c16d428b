// Counts how often one process asks for the pid of its parent.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile int watched_pid; // set before the program is loaded
unsigned long long calls;       // read at any time

SEC("tp/syscalls/sys_enter_getppid")
int on_getppid(void *ctx)
{
	int pid = bpf_get_current_pid_tgid() >> 32;

	if (pid == watched_pid)
		__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
