/*
 * Loads a BPF object with libbpf and prints, as JSON, what the kernel then holds.
 *
 *	oracle [-n NAME] [-b BTF] [-k KCONFIG] [-r PIN_ROOT] [-l LOG_LEVEL] OBJECT
 *	       [KIND NAME SETTING VALUE]...
 *	oracle -V
 *
 * -n  name of the object, which prefixes the kernel's names of its data maps
 * -b  file with the types for CO-RE, in place of the kernel's
 * -k  text that goes before the kernel's configuration
 * -r  where maps that are pinned by name are
 * -l  log level of the verifier
 * -V  the version of libbpf
 *
 * Each four words after the object change one thing before it is loaded: KIND is
 * "map" or "program", and SETTING a line of the tables below.
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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int print_all(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_DEBUG ? 0 : vfprintf(stderr, format, args);
}

static int fail(const char *what, int error, int status)
{
	fprintf(stderr, "oracle: %s: %d (%s)\n", what, -error, strerror(-error));
	return status;
}

/* ---- changes before load ---------------------------------------------------------- */

static __u32 number(const char *text)
{
	return strtoul(text, NULL, 0);
}

static int pin_path(struct bpf_map *map, const char *value)
{
	return bpf_map__set_pin_path(map, *value ? value : NULL);
}

static int reuse(struct bpf_map *map, const char *value)
{
	int fd = bpf_obj_get(value), error;

	if (fd < 0)
		return fd;
	error = bpf_map__reuse_fd(map, fd);
	close(fd);
	return error;
}

/* Bytes in hexadecimal for the start of a data section. */
static int contents(struct bpf_map *map, const char *value)
{
	unsigned char *memory;
	const void *before;
	unsigned int byte;
	size_t size;
	int error;

	before = bpf_map__initial_value(map, &size);
	memory = before ? malloc(size) : NULL;
	if (!memory)
		return -EINVAL;
	memcpy(memory, before, size);
	for (size_t i = 0; i < size && sscanf(value, "%2x", &byte) == 1; value += 2)
		memory[i++] = byte;
	error = bpf_map__set_initial_value(map, memory, size);
	free(memory);
	return error;
}

static int attach_target(struct bpf_program *program, const char *value)
{
	return bpf_program__set_attach_target(program, 0, value);
}

/* FUNCTION@PIN: a function of a program that is loaded. */
static int attach_program(struct bpf_program *program, const char *value)
{
	const char *at = strchr(value, '@');
	char function[128];
	int fd;

	if (!at || (size_t)(at - value) >= sizeof(function))
		return -EINVAL;
	memcpy(function, value, at - value);
	function[at - value] = '\0';
	fd = bpf_obj_get(at + 1); /* stays open: libbpf keeps the number */
	return fd < 0 ? fd : bpf_program__set_attach_target(program, fd, function);
}

#define MAP(name)                                                              \
	static int map_##name(struct bpf_map *map, const char *value)          \
	{                                                                      \
		return bpf_map__set_##name(map, number(value));                \
	}
#define PROGRAM(name)                                                          \
	static int program_##name(struct bpf_program *program, const char *value) \
	{                                                                      \
		return bpf_program__set_##name(program, number(value));        \
	}
MAP(type)
MAP(key_size)
MAP(value_size)
MAP(max_entries)
MAP(map_flags)
MAP(map_extra)
MAP(numa_node)
MAP(ifindex)
MAP(autocreate)
PROGRAM(autoload)
PROGRAM(type)
PROGRAM(expected_attach_type)
PROGRAM(flags)
PROGRAM(log_level)

static int program_ifindex(struct bpf_program *program, const char *value)
{
	bpf_program__set_ifindex(program, number(value));
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct bpf_map *map, const char *value);
} map_settings[] = {
	{ "type", map_type },
	{ "key_size", map_key_size },
	{ "value_size", map_value_size },
	{ "max_entries", map_max_entries },
	{ "flags", map_map_flags },
	{ "map_extra", map_map_extra },
	{ "numa_node", map_numa_node },
	{ "ifindex", map_ifindex },
	{ "autocreate", map_autocreate },
	{ "pin_path", pin_path },
	{ "reuse", reuse },
	{ "contents", contents },
};

static const struct {
	const char *name;
	int (*set)(struct bpf_program *program, const char *value);
} program_settings[] = {
	{ "autoload", program_autoload },
	{ "type", program_type },
	{ "attach_type", program_expected_attach_type },
	{ "flags", program_flags },
	{ "log_level", program_log_level },
	{ "ifindex", program_ifindex },
	{ "attach_target", attach_target },
	{ "attach_program", attach_program },
};

static int change(struct bpf_object *object, char **words)
{
	struct bpf_program *program;
	struct bpf_map *map;

	if (!strcmp(words[0], "map")) {
		map = bpf_object__find_map_by_name(object, words[1]);
		if (!map)
			return -ENOENT;
		for (size_t i = 0; i < COUNT(map_settings); i++)
			if (!strcmp(words[2], map_settings[i].name))
				return map_settings[i].set(map, words[3]);
	} else if (!strcmp(words[0], "program")) {
		program = bpf_object__find_program_by_name(object, words[1]);
		if (!program)
			return -ENOENT;
		for (size_t i = 0; i < COUNT(program_settings); i++)
			if (!strcmp(words[2], program_settings[i].name))
				return program_settings[i].set(program, words[3]);
	}
	return -EINVAL;
}

/* ---- what the kernel holds -------------------------------------------------------- */

static void string(const char *name, const char *text)
{
	printf("\"%s\": \"", name);
	for (; *text; text++)
		printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	printf("\", ");
}

static void bytes(const char *name, const unsigned char *data, size_t size)
{
	printf("\"%s\": \"", name);
	for (size_t i = 0; i < size; i++)
		printf("%02x", data[i]);
	printf("\", ");
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
	bytes("tag", info.tag, sizeof(info.tag));
	printf("\"xlated_size\": %u, \"verified_insns\": %u, \"functions\": %u, ",
	       info.xlated_prog_len, info.verified_insns, info.nr_jited_ksyms);
	printf("\"func_infos\": %u, \"line_infos\": %u, \"maps\": %u, ",
	       info.nr_func_info, info.nr_line_info, info.nr_map_ids);
	printf("\"gpl\": %u, \"has_btf\": %d, \"ifindex\": %u, ", info.gpl_compatible,
	       info.btf_id != 0, info.ifindex);
	printf("\"has_target\": %d, \"attach_btf_id\": %u}", info.attach_btf_obj_id != 0,
	       info.attach_btf_id);
	return 0;
}

/* Which map or program, by its name, is in each slot of an array. */
static void print_slots(int fd, const struct bpf_map_info *outer)
{
	const char *comma = "";
	__u32 id;

	printf("\"slots\": {");
	for (__u32 slot = 0; slot < outer->max_entries; slot++) {
		struct bpf_prog_info program = {};
		struct bpf_map_info map = {};
		__u32 size;
		int inner;

		if (bpf_map_lookup_elem(fd, &slot, &id))
			continue;
		if (outer->type == BPF_MAP_TYPE_PROG_ARRAY) {
			inner = bpf_prog_get_fd_by_id(id);
			size = sizeof(program);
			bpf_obj_get_info_by_fd(inner, &program, &size);
		} else {
			inner = bpf_map_get_fd_by_id(id);
			size = sizeof(map);
			bpf_obj_get_info_by_fd(inner, &map, &size);
		}
		printf("%s\"%u\": \"%s%s\"", comma, slot, program.name, map.name);
		comma = ", ";
		close(inner);
	}
	printf("}, ");
}

static int print_map(struct bpf_map *map)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info), first = 0;
	int fd = bpf_map__fd(map);
	unsigned char *value;

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	printf("{");
	string("kernel_name", info.name);
	printf("\"type\": %u, \"key_size\": %u, \"value_size\": %u, ", info.type,
	       info.key_size, info.value_size);
	printf("\"max_entries\": %u, \"flags\": %u, \"map_extra\": %llu, ",
	       info.max_entries, info.map_flags, (unsigned long long)info.map_extra);
	printf("\"ifindex\": %u, ", info.ifindex);
	if (bpf_map__is_internal(map)) {
		value = calloc(1, info.value_size);
		if (!value || bpf_map_lookup_elem(fd, &first, value))
			return -errno;
		bytes("contents", value, info.value_size);
		free(value);
	}
	if (info.type == BPF_MAP_TYPE_PROG_ARRAY || info.type == BPF_MAP_TYPE_ARRAY_OF_MAPS)
		print_slots(fd, &info);
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
	struct bpf_object *object;
	int option, error;

	while ((option = getopt(argc, argv, "+n:b:k:r:l:V")) != -1) {
		if (option == 'V')
			return puts(libbpf_version_string()) < 0;
		else if (option == 'n')
			options.object_name = optarg;
		else if (option == 'b')
			options.btf_custom_path = optarg;
		else if (option == 'k')
			options.kconfig = optarg;
		else if (option == 'r')
			options.pin_root_path = optarg;
		else if (option == 'l')
			options.kernel_log_level = number(optarg);
		else
			return fail("usage", -EINVAL, 1);
	}
	if (optind >= argc || (argc - optind) % 4 != 1)
		return fail("an object and changes of four words, please", -EINVAL, 1);

	libbpf_set_print(print_all);
	object = bpf_object__open_file(argv[optind], &options);
	if (!object)
		return fail("open", -errno, 2);
	for (char **words = argv + optind + 1; *words; words += 4) {
		error = change(object, words);
		if (error) {
			fprintf(stderr, "%s %s %s %s\n", words[0], words[1], words[2],
				words[3]);
			return fail("change", error, 1);
		}
	}
	error = bpf_object__load(object);
	if (error)
		return fail("load", error, 3);
	error = print_object(object);
	bpf_object__close(object);
	return error ? fail("info", error, 1) : 0;
}
