// Opens and loads a BPF object with libbpf against a kernel that is made up here: no
// privilege is needed, every load "succeeds", and what libbpf gives to bpf(2) is
// printed, one record a line, its fields separated by tabs. libbpf makes its system
// calls through syscall(3), which a program may define for itself.
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void print_hex(const char *label, unsigned long address, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)address;

	printf("\t%s=", label);
	for (size_t i = 0; bytes && i < size; i++)
		printf("%02x", bytes[i]);
}

// A file that can be mapped, as an array map can.
static int some_fd(void)
{
	int fd = memfd_create("fake", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, 1L << 33)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int load_program(const union bpf_attr *attr)
{
	printf("LOAD\tname=%s\ttype=%u\tattach=%u\tflags=%u\tlicense=%s", attr->prog_name,
	       attr->prog_type, attr->expected_attach_type, attr->prog_flags,
	       (const char *)(unsigned long)attr->license);
	print_hex("insns", attr->insns, attr->insn_cnt * 8UL);
	print_hex("func", attr->func_info,
		  (size_t)attr->func_info_cnt * attr->func_info_rec_size);
	print_hex("line", attr->line_info,
		  (size_t)attr->line_info_cnt * attr->line_info_rec_size);
	printf("\n");
	return some_fd();
}

static int fake_bpf(int cmd, const void *given, size_t size)
{
	union bpf_attr attr;

	// libbpf passes less than the whole, and may be newer than the header.
	memset(&attr, 0, sizeof(attr));
	memcpy(&attr, given, size < sizeof(attr) ? size : sizeof(attr));
	switch (cmd) {
	case BPF_MAP_CREATE:
		return some_fd();
	case BPF_BTF_LOAD:
		printf("BTF");
		print_hex("data", attr.btf, attr.btf_size);
		printf("\n");
		return some_fd();
	case BPF_PROG_LOAD:
		return load_program(&attr);
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_FREEZE:
	case BPF_PROG_BIND_MAP:
	case BPF_OBJ_GET_INFO_BY_FD:
		return 0;
	case BPF_OBJ_GET:
	case BPF_BTF_GET_NEXT_ID:
		errno = ENOENT;
		return -1;
	default:
		errno = EBADF;
		return -1;
	}
}

long syscall(long number, ...)
{
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	long a[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == __NR_bpf)
		return fake_bpf((int)a[0], (const void *)a[1], (size_t)a[2]);
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct bpf_program *prog;
	struct bpf_map *map;

	if (argc != 2)
		return 2;
	object = bpf_object__open_file(argv[1], NULL);
	if (!object)
		return 1;
	bpf_object__for_each_program(prog, object) {
		bpf_program__set_autoload(prog, true);
		if (bpf_program__type(prog) == BPF_PROG_TYPE_UNSPEC)
			bpf_program__set_type(prog, BPF_PROG_TYPE_SOCKET_FILTER);
	}
	bpf_object__for_each_map(map, object)
		bpf_map__set_pin_path(map, NULL); // pinning needs a bpffs
	if (bpf_object__load(object))
		return 1;
	bpf_object__for_each_map(map, object)
		printf("MAP\tname=%s\tfd=%d\ttype=%u\tkey=%u\tvalue=%u\tmax=%u\tflags=%u\t"
		       "extra=%llu\tnuma=%u\tkey_id=%u\tvalue_id=%u\n",
		       bpf_map__name(map), bpf_map__fd(map), bpf_map__type(map),
		       bpf_map__key_size(map), bpf_map__value_size(map),
		       bpf_map__max_entries(map), bpf_map__map_flags(map),
		       (unsigned long long)bpf_map__map_extra(map), bpf_map__numa_node(map),
		       bpf_map__btf_key_type_id(map), bpf_map__btf_value_type_id(map));
	bpf_object__for_each_program(prog, object) {
		printf("PROGRAM\tname=%s\tsection=%s", bpf_program__name(prog),
		       bpf_program__section_name(prog));
		print_hex("insns", (unsigned long)bpf_program__insns(prog),
			  bpf_program__insn_cnt(prog) * 8);
		printf("\n");
	}
	return 0;
}
