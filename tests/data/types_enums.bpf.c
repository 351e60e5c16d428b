// Enums: signed, unsigned, 64 bits wide, one byte small, anonymous, behind typedefs, forward.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum plain { PLAIN_A, PLAIN_B = 5, PLAIN_C };
enum negative { NEG_LOW = -2147483647 - 1, NEG_NONE = 0, NEG_HIGH = 2147483647 };
enum large { LARGE_ONE = 1, LARGE_TOP = 0xffffffffu };
enum huge { HUGE_SMALL = 3, HUGE_BIT = 1ull << 40, HUGE_TOP = 0xffffffffffffffffull };
enum huge_signed { HS_MIN = -(1ll << 50), HS_MAX = 1ll << 50 };
enum __attribute__((packed)) tiny { TINY_A = 1, TINY_B = 200 };
enum doubled { FIRST = 1, SAME = 1, OTHER = 2 };
typedef enum { TD_OFF, TD_ON = 7 } td_switch;
typedef enum plain plain_t;
enum forward;

struct holder {
	enum tiny tiny;
	enum plain plain;
	enum huge huge;
	td_switch sw;
	enum { INSIDE_A = 11, INSIDE_B } inside;
	enum plain array[3];
	enum forward *pointer;
};

enum plain plain = PLAIN_B;
enum negative negative = NEG_LOW;
enum large large = LARGE_TOP;
enum huge huge = HUGE_BIT;
enum huge_signed huge_signed = HS_MIN;
enum tiny tiny = TINY_B;
enum doubled doubled = SAME;
td_switch sw = TD_ON;
plain_t aliased = PLAIN_C;
enum { LOOSE_A, LOOSE_B } loose = LOOSE_B;
enum plain row[4] = { PLAIN_A, PLAIN_B, PLAIN_C, PLAIN_A };
struct holder holder = { TINY_A, PLAIN_B, HUGE_BIT, TD_ON, INSIDE_B };
const volatile enum huge wanted = HUGE_TOP;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, enum plain);
	__type(value, enum huge);
} by_enum SEC(".maps");

SEC("socket")
int use(void *ctx)
{
	enum huge v = HUGE_BIT;

	if (huge == wanted)
		plain = PLAIN_C;
	bpf_map_update_elem(&by_enum, &plain, &v, BPF_ANY);
	holder.plain = plain;
	row[1] = aliased;
	return loose + sw + doubled + tiny + (int)large + (int)negative + (int)huge_signed;
}

char LICENSE[] SEC("license") = "GPL";
