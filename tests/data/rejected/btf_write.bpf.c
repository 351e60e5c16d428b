// A field of a kernel struct is written.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int tgid;
} __attribute__((preserve_access_index));

SEC("syscall")
int renumber(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	task->tgid = 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
