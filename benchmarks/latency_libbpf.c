// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads the events of latency.bpf.c through libbpf.
 *
 *   latency_libbpf OBJECT.o COUNT    prints the fd of the program when it is ready, then the
 *                                    nanoseconds that each event took, one a line
 */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long long *took;
static long wanted, got;

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int on_event(void *ctx, void *data, size_t size)
{
	(void)ctx, (void)size;
	if (got < wanted)
		took[got++] = now() - *(long long *)data;
	return 0;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct bpf_program *program;
	struct ring_buffer *ring;

	if (argc != 3)
		return 2;
	wanted = atol(argv[2]);
	took = calloc(wanted, sizeof(*took));
	object = bpf_object__open_file(argv[1], NULL);
	if (!took || !object)
		fail(argv[1]);
	if (bpf_object__load(object))
		fail("load");
	program = bpf_object__next_program(object, NULL);
	ring = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "events"),
				on_event, NULL, NULL);
	if (!ring)
		fail("ring buffer");
	printf("%d\n", bpf_program__fd(program));
	fflush(stdout);
	while (got < wanted)
		if (ring_buffer__poll(ring, -1) < 0)
			fail("poll");
	for (long i = 0; i < got; i++)
		printf("%lld\n", took[i]);
	return 0;
}
