// Static, hidden, weak and unused variables beside global ones, in each data section.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int first = 1;
static volatile int hidden_by_static = 2;
int second = 3;
int hidden_by_attribute __hidden = 4;
int third = 5;
int weak_one __weak = 6;

int bss_first;
static volatile int bss_static;
int bss_second;
int bss_hidden __hidden;
int bss_weak __weak;

const volatile int ro_first = 7;
static const volatile int ro_static = 8;
const volatile int ro_hidden __hidden = 9;
const volatile int ro_last = 10;

static volatile int lonely SEC(".data.static") = 11;

int unused;

SEC("socket")
int use(void *ctx)
{
	static volatile int inside = 12;
	static volatile int inside_bss;

	inside++;
	inside_bss += inside;
	bss_static += hidden_by_static + hidden_by_attribute + bss_hidden + ro_hidden;
	bss_first += first + second + third + weak_one + bss_second + bss_weak;
	bss_second += lonely + ro_static + ro_first + ro_last;
	return bss_first;
}

char LICENSE[] SEC("license") = "GPL";
