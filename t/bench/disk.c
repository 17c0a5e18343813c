/* SPDX-License-Identifier: ISC */

/*
 * disk.c - measure the upper limit of a disk, for the benchmark.
 *
 *	disk PROCESSES SIZE WARM-SEC SEC MOST FOLDER
 *
 * Each process creates a file, writes it, links a second name and flushes it,
 * in a loop: the minimum that a server has to do for a message. Prints one line
 * of JSON: how many files were flushed in the counted time. Stops early after
 * MOST files. The files are not removed.
 */

#include "config.h"

#include <sys/wait.h>

#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 1000
#define FILES_MAX 10000000

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
make_file(const char *data, size_t size, unsigned long process,
    unsigned long number)
{
	char name[64], second[64];
	int fd;

	(void)snprintf(name, sizeof(name), "%lu-%lu", process, number);
	(void)snprintf(second, sizeof(second), "%lu-%lu.2", process, number);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		err(EX_CANTCREAT, "%s", name);
	if (write(fd, data, size) != (ssize_t)size ||
	    link(name, second) == -1 || fsync(fd) == -1 || close(fd) == -1)
		err(EX_IOERR, "%s", name);
}

/* Return how many files were made in the counted time. */
static unsigned long
work(const char *data, size_t size, unsigned long process, unsigned long most,
    int64_t counting_ns, int64_t end_ns)
{
	unsigned long counted = 0;

	for (unsigned long i = 0; i < most && now_ns() < end_ns; i++) {
		int64_t now;

		make_file(data, size, process, i);
		now = now_ns();
		if (now >= counting_ns && now <= end_ns)
			counted++;
	}
	return counted;
}

static double
seconds(const char *text)
{
	double value = strtod(text, NULL);

	if (!(value >= 0 && value <= 3600))
		errx(EX_USAGE, "%s: expected 0 to 3600 seconds", text);
	return value;
}

int
main(int argc, char *argv[])
{
	unsigned long processes, most, counted, total = 0;
	int64_t counting_ns, end_ns, now;
	int results[2], status;
	size_t size;
	char *data;

	if (argc != 7)
		errx(EX_USAGE, "see disk.c");
	processes = strtoul(argv[1], NULL, 10);
	size = strtoul(argv[2], NULL, 10);
	most = strtoul(argv[5], NULL, 10);
	if (processes == 0 || processes > PROCESSES_MAX || size == 0 ||
	    most > FILES_MAX || (data = malloc(size)) == NULL)
		errx(EX_USAGE, "see disk.c");
	memset(data, 'x', size);
	if (chdir(argv[6]) == -1)
		err(EX_NOINPUT, "%s", argv[6]);
	if (pipe2(results, O_CLOEXEC) == -1)
		err(EX_OSERR, "pipe");
	counting_ns = now_ns() + (int64_t)(seconds(argv[3]) * 1e9);
	end_ns = counting_ns + (int64_t)(seconds(argv[4]) * 1e9);
	for (unsigned long i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid == -1)
			err(EX_OSERR, "fork");
		if (pid > 0)
			continue;
		counted =
		    work(data, size, i, most / processes, counting_ns, end_ns);
		_exit(write(results[1], &counted, sizeof(counted)) ==
			    sizeof(counted)
			? 0
			: 1);
	}
	close(results[1]);
	while (read(results[0], &counted, sizeof(counted)) == sizeof(counted))
		total += counted;
	while (wait(&status) != -1)
		if (status != 0)
			errx(EX_IOERR, "a process has failed");
	now = now_ns();
	printf("{\"counted\": %lu, \"seconds\": %.6f}\n", total,
	    (double)((now < end_ns ? now : end_ns) - counting_ns) / 1e9);
	free(data);
	return EX_OK;
}
