// A kernel address is read as if it were a pointer of the program's own.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int tgid;
} __attribute__((preserve_access_index));

SEC("tp/syscalls/sys_enter_getppid")
int who(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return task->tgid;
}

char LICENSE[] SEC("license") = "GPL";
