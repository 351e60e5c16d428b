// SPDX-License-Identifier: BSD-2-Clause
/*
 * Time open + load + close of an object through libbpf.
 *
 *   libbpf_load OBJECT.o ROUNDS
 *
 * Prints the nanoseconds of each round, one a line.
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

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: %s OBJECT.o ROUNDS\n", argv[0]);
		return 2;
	}
	libbpf_set_print(silent);
	for (int round = 0; round < atoi(argv[2]); round++) {
		long long start = now();
		struct bpf_object *object = bpf_object__open_file(argv[1], NULL);

		if (!object || bpf_object__load(object)) {
			perror(argv[1]);
			return 1;
		}
		long long end = now();

		bpf_object__close(object);
		printf("%lld\n", end - start);
	}
	return 0;
}
