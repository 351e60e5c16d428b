/*
 * Loads a BPF object with libbpf and prints, as JSON, what the kernel then holds.
 *
 *	oracle [-n NAME] [-d PROGRAM]... [-u MAP]... OBJECT
 *
 * -n  name of the object, which prefixes the kernel's names of its data maps
 * -d  do not load this program (bpf_program__set_autoload)
 * -u  do not pin this map (bpf_map__set_pin_path)
 *
 * Exit status: 0 loaded, 2 not opened, 3 not loaded; libbpf's messages on stderr.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static int print_all(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_DEBUG ? 0 : vfprintf(stderr, format, args);
}

static void string(const char *name, const char *text)
{
	printf("\"%s\": \"", name);
	for (; *text; text++)
		printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	printf("\", ");
}

static int fail(const char *what, int error, int status)
{
	fprintf(stderr, "oracle: %s: %d (%s)\n", what, -error, strerror(-error));
	return status;
}

static int print_program(struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		return -errno;
	printf("{");
	string("name", bpf_program__name(program));
	string("kernel_name", info.name);
	string("section", bpf_program__section_name(program));
	printf("\"type\": %u, \"attach_type\": %u, ", info.type,
	       bpf_program__expected_attach_type(program));
	printf("\"tag\": \"");
	for (size_t i = 0; i < sizeof(info.tag); i++)
		printf("%02x", info.tag[i]);
	printf("\", \"xlated_size\": %u, \"func_infos\": %u, \"line_infos\": %u, ",
	       info.xlated_prog_len, info.nr_func_info, info.nr_line_info);
	printf("\"maps\": %u, \"gpl\": %u, \"has_btf\": %d}", info.nr_map_ids,
	       info.gpl_compatible, info.btf_id != 0);
	return 0;
}

static int print_map(struct bpf_map *map)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &size))
		return -errno;
	printf("{");
	string("name", bpf_map__name(map));
	string("kernel_name", info.name);
	printf("\"type\": %u, \"key_size\": %u, \"value_size\": %u, ", info.type,
	       info.key_size, info.value_size);
	printf("\"max_entries\": %u, \"flags\": %u, \"map_extra\": %llu, ",
	       info.max_entries, info.map_flags, (unsigned long long)info.map_extra);
	printf("\"has_btf\": %d, \"key_type_id\": %u, \"value_type_id\": %u, ",
	       info.btf_id != 0, info.btf_key_type_id, info.btf_value_type_id);
	printf("\"btf_vmlinux_value_type_id\": %u}", info.btf_vmlinux_value_type_id);
	return 0;
}

static int print_object(struct bpf_object *object)
{
	struct bpf_program *program;
	struct bpf_map *map;
	const char *comma = "";
	int error;

	printf("{\"programs\": [");
	bpf_object__for_each_program(program, object) {
		if (!bpf_program__autoload(program))
			continue;
		printf("%s\n", comma);
		error = print_program(program);
		if (error)
			return error;
		comma = ",";
	}
	printf("],\n\"maps\": [");
	comma = "";
	bpf_object__for_each_map(map, object) {
		if (!bpf_map__autocreate(map))
			continue;
		printf("%s\n", comma);
		error = print_map(map);
		if (error)
			return error;
		comma = ",";
	}
	printf("]}\n");
	return 0;
}

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_object_open_opts, options);
	const char *disabled[64], *unpinned[64];
	int disabled_count = 0, unpinned_count = 0, option, error;
	struct bpf_object *object;

	while ((option = getopt(argc, argv, "n:d:u:")) != -1) {
		if (option == 'n')
			options.object_name = optarg;
		else if (option == 'd' && disabled_count < 64)
			disabled[disabled_count++] = optarg;
		else if (option == 'u' && unpinned_count < 64)
			unpinned[unpinned_count++] = optarg;
		else
			return fail("usage", -EINVAL, 1);
	}
	if (optind + 1 != argc)
		return fail("one object, please", -EINVAL, 1);

	libbpf_set_print(print_all);
	object = bpf_object__open_file(argv[optind], &options);
	if (!object)
		return fail("open", -errno, 2);
	for (int i = 0; i < disabled_count; i++) {
		struct bpf_program *program =
			bpf_object__find_program_by_name(object, disabled[i]);

		if (!program)
			return fail(disabled[i], -ENOENT, 1);
		bpf_program__set_autoload(program, false);
	}
	for (int i = 0; i < unpinned_count; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, unpinned[i]);

		if (!map)
			return fail(unpinned[i], -ENOENT, 1);
		bpf_map__set_pin_path(map, NULL);
	}
	error = bpf_object__load(object);
	if (error)
		return fail("load", error, 3);
	error = print_object(object);
	bpf_object__close(object);
	return error ? fail("info", error, 1) : 0;
}
