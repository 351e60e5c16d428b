// SPDX-License-Identifier: BSD-2-Clause
/*
 * Runs the program of latency.bpf.c at intervals, with an fd of the reader's.
 *
 *   latency_source PID FD INTERVAL COUNT    INTERVAL is in nanoseconds
 */
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	struct timespec next;
	long interval, count;
	char packet[64] = {};
	int program;

	if (argc != 5)
		return 2;
	program = syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, atoi(argv[1]), 0),
			  atoi(argv[2]), 0);
	if (program < 0) {
		perror("pidfd_getfd");
		return 1;
	}
	interval = atol(argv[3]);
	count = atol(argv[4]);
	run.data_in = packet;
	run.data_size_in = sizeof(packet);
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (count--) {
		next.tv_nsec += interval;
		while (next.tv_nsec >= 1000000000L) {
			next.tv_nsec -= 1000000000L;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
		if (bpf_prog_test_run_opts(program, &run))
			return 1;
	}
	return 0;
}
