// BTF type and declaration tags, on types, members, variables and functions.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define decl(text) __attribute__((btf_decl_tag(text)))
#define type(text) __attribute__((btf_type_tag(text)))

struct decl("on_struct") tagged {
	int plain;
	int member decl("on_member");
	int type("user") *pointer;
	void type("one") type("two") *twice;
};

struct tagged tagged decl("on_variable") = { 1, 2 };
int type("rcu") *bare;

static __noinline int decl("on_function") helper(int a decl("on_argument"))
{
	return a + tagged.member;
}

SEC("socket")
int use(struct __sk_buff *skb)
{
	return helper(skb->len) + (bare != 0);
}

char LICENSE[] SEC("license") = "GPL";
