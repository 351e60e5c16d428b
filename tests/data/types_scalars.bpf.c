// Globals of every scalar type: integers, _Bool, char, float, double, __int128, pointers.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

signed char i8 = -8;
unsigned char u8 = 8;
short i16 = -1600;
unsigned short u16 = 1600;
int i32 = -320000;
unsigned int u32 = 3200000000u;
long i64 = -6400000000000;
unsigned long u64 = 0xfedcba9876543210;
long long ll = 1ll << 62;
unsigned long long ull = 1ull << 63;
__u8 kernel_u8 = 1;
__s8 kernel_s8 = -1;
__u64 kernel_u64 = 1;
char letter = 'x';
_Bool yes = 1;
_Bool no;
float third = 0.25f;
double precise = -1.5;
__int128 wide = -((__int128)1 << 100);
unsigned __int128 uwide = (unsigned __int128)1 << 100;
volatile int moving = 3;
const int fixed = 4;
const volatile unsigned long limit = 5;
const volatile _Bool flag = 1;
const volatile __int128 rowide = 7;

int zero_int;
__u64 zero_u64;
__int128 zero_wide;

SEC("socket")
int sum(void *ctx)
{
	moving += i32 + i16 + i8 + (yes ? limit : 0) + fixed + zero_int;
	zero_u64 += u64;
	return moving;
}

char LICENSE[] SEC("license") = "GPL";
