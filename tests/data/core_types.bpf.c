// CO-RE type relocations: exists, size, matches, local and target ids.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct list_head {
	struct list_head *next, *prev;
};

struct list_head___short {
	struct list_head *next;
};

struct list_head___wrong {
	int next;
	struct list_head *prev;
};

struct task_struct {
	int pid;
};

union thread_union___any {
	int x;
};

struct no_such_type {
	int x;
};

typedef unsigned int gfp_t;
typedef int no_such_typedef_t;
enum pid_type { PIDTYPE_PID };

int exists, not_exists, exists_typedef, not_exists_typedef, exists_enum, exists_pointer;
int size_list, size_task, size_missing, matches, matches_not, matches_short;
int id_local, id_kernel, id_missing;

SEC("tp/syscalls/sys_enter_getppid")
int on_getppid(void *ctx)
{
	exists = bpf_core_type_exists(struct task_struct);
	not_exists = bpf_core_type_exists(struct no_such_type);
	exists_typedef = bpf_core_type_exists(gfp_t);
	not_exists_typedef = bpf_core_type_exists(no_such_typedef_t);
	exists_enum = bpf_core_type_exists(enum pid_type);
	exists_pointer = bpf_core_type_exists(union thread_union___any);
	size_list = bpf_core_type_size(struct list_head);
	size_task = bpf_core_type_size(struct task_struct);
	size_missing = bpf_core_type_size(struct no_such_type);
	matches = bpf_core_type_matches(struct list_head);
	matches_short = bpf_core_type_matches(struct list_head___short);
	matches_not = bpf_core_type_matches(struct list_head___wrong);
	id_local = bpf_core_type_id_local(struct list_head);
	id_kernel = bpf_core_type_id_kernel(struct list_head);
	id_missing = bpf_core_type_id_kernel(struct no_such_type);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
