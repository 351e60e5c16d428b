// SPDX-License-Identifier: BSD-2-Clause
/*
 * Open + load + close of an object through libbpf.
 *
 *   libbpf_load OBJECT.o ROUNDS    prints the nanoseconds of each round, one a line
 *   libbpf_load OBJECT.o           loads once, prints a line, waits for end of input
 */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static struct bpf_object *load(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);

	if (!object || bpf_object__load(object)) {
		perror(path);
		exit(1);
	}
	return object;
}

int main(int argc, char **argv)
{
	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: %s OBJECT.o [ROUNDS]\n", argv[0]);
		return 2;
	}
	libbpf_set_print(silent);
	if (argc == 2) {
		load(argv[1]);
		puts("loaded");
		fflush(stdout);
		getchar();
		return 0;
	}
	for (int round = 0; round < atoi(argv[2]); round++) {
		long long start = now();
		struct bpf_object *object = load(argv[1]);
		long long end = now();

		bpf_object__close(object);
		printf("%lld\n", end - start);
	}
	return 0;
}
