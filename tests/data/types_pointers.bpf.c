// Pointers to every kind of thing: functions, arrays, const data, forward-declared structs.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct forward;
union forward_union;
typedef int (*callback_t)(void *, const char *, ...);
typedef void plain_fn(int);

struct ops {
	int (*open)(struct ops *self, int flags);
	void (*close)(struct ops *self);
	callback_t callback;
	plain_fn *plain;
	int (*(*returns_fn)(int))(char);
	int (*array_of_fn[2])(void);
	const struct ops *const next;
};

void *any;
const char *string;
char *const *volatile qualified;
struct forward *incomplete;
union forward_union *incomplete_union;
int (*function)(int, struct forward *);
int (*pointer_to_array)[4];
int *array_of_pointers[3];
int **twice;
callback_t callback;
struct ops ops;
const volatile struct ops *watched;
void (*noargs)(void);

SEC("socket")
int use(void *ctx)
{
	return any == ops.next && string == (void *)function && !callback && !twice &&
	       !pointer_to_array && !array_of_pointers[1] && !incomplete &&
	       !incomplete_union && !qualified && !watched && !noargs;
}

char LICENSE[] SEC("license") = "GPL";
