// Two structs that end as one Python class.
// error: Event
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct event {
	int a;
};

struct Event {
	int b;
};

struct event first = { 1 };
struct Event second = { 2 };

SEC("socket")
int use(void *ctx)
{
	return first.a + second.b;
}

char LICENSE[] SEC("license") = "GPL";
