// Text in globals: quotes, backslashes, newlines, non-ASCII, unterminated, empty.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char greeting[16] = "hello";
char exact[5] = { 'e', 'x', 'a', 'c', 't' };
char empty[8];
char quotes[32] = "\"\"\"'''\\ \n\t\r";
char utf8[16] = "gr\xc3\xbc\xc3\x9f";
char latin1[8] = "gr\xfc\xdf";
unsigned char raw[6] = { 0, 255, 0, 1, 128, 0 };
signed char signed_raw[3] = { -1, 0, 1 };
const char constant[] = "a constant";
const volatile char name_filter[16] = "";
const char *const pointed = "pointed at";

struct record {
	char comm[16];
	char tag[1];
	unsigned char bytes[4];
};

struct record record = { "python3", { 'x' }, { 1, 2, 3, 4 } };

SEC("socket")
int use(void *ctx)
{
	record.bytes[0] += greeting[0] + exact[1] + quotes[2] + utf8[3] + latin1[1] +
			   raw[1] + signed_raw[0] + constant[3] + name_filter[0] +
			   empty[0];
	bpf_printk("text of the format %d", record.bytes[0]);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
