/* SPDX-License-Identifier: ISC */

/*
 * main.c - smtp-deliver: send what is queued to its recipients' hosts.
 *
 * See smtp-deliver(8).
 */

#include "config.h"

#include <sys/resource.h>

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/audit.h"
#include "lib/settings.h"
#include "lib/spool/able.h"
#include "lib/spool/spool.h"
#include "lib/supervise.h"
#include "smtp-deliver/dkim.h"
#include "smtp-deliver/explain.h"
#include "smtp-deliver/nexthop.h"
#include "smtp-deliver/run.h"

_Noreturn static void
usage(void)
{
	(void)fprintf(stderr,
	    "usage: smtp-deliver [--watch]\n"
	    "       smtp-deliver --explain ADDRESS...\n");
	exit(EX_USAGE);
}

enum mode {
	MODE_RUN,
	MODE_WATCH,
	MODE_EXPLAIN,
};

static enum mode
parse_options(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "explain", no_argument, NULL, MODE_EXPLAIN },
		{ "watch", no_argument, NULL, MODE_WATCH },
		{ NULL, 0, NULL, 0 },
	};
	enum mode mode = MODE_RUN;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != MODE_EXPLAIN && option != MODE_WATCH)
			usage();
		mode = (enum mode)option;
	}
	if ((optind < argc) != (mode == MODE_EXPLAIN))
		usage();
	return mode;
}

/* A descriptor for each message that is claimed. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Open the spool, which must be on a file system that can carry one. */
static struct spool *
open_spool(const char *path)
{
	struct spool *spool;
	const char *lacking;
	int r;

	if ((r = spool_open(path, &spool)) < 0)
		errc(EX_TEMPFAIL, -r, "%s", path);
	if ((r = able_check(spool, &lacking)) == -EOPNOTSUPP)
		errx(EX_CONFIG,
		    "%s cannot be the spool: its file system lacks %s", path,
		    lacking);
	if (r < 0)
		errc(EX_TEMPFAIL, -r, "%s", path);
	return spool;
}

static int
explain(char *const addresses[], const struct settings *settings)
{
	struct spool *spool = NULL;
	bool is_good;

	(void)signal(SIGPIPE, SIG_IGN);
	/* Who may not look into the spool does without what is kept there. */
	if (spool_exists(settings->queue_path))
		(void)spool_open(settings->queue_path, &spool);
	is_good = explain_addresses(addresses, spool, settings);
	spool_close(spool);
	return is_good ? EX_OK : EX_UNAVAILABLE;
}

/* Mail that goes to the wrong host cannot be taken back. */
static void
check_relayhost(const char *relayhost)
{
	struct nexthops relays;
	char error[NEXTHOP_ERROR_SIZE];

	if (relayhost != NULL && nexthop_parse(relayhost, &relays, error) < 0)
		errx(EX_CONFIG, "SMTP_RELAYHOST has %s", error);
}

int
main(int argc, char *argv[])
{
	enum mode mode = parse_options(argc, argv);
	bool is_watching = mode == MODE_WATCH;
	struct settings settings;
	char error[SETTINGS_ERROR_SIZE];
	char key_error[DKIM_ERROR_SIZE];
	struct dkim *dkim;
	struct spool *spool;
	int r;

	if (is_watching)
		supervise();
	if (mode != MODE_EXPLAIN)
		run_catch_signals();
	if (settings_load(&settings, error) < 0)
		errx(EX_CONFIG, "%s", error);
	check_relayhost(settings.relayhost);
	if (mode == MODE_EXPLAIN)
		return explain(argv + optind, &settings);
	audit_open("smtp-deliver", settings.is_debug);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* write(2) tells */
	if (dkim_open(&settings, &dkim, key_error) < 0)
		errx(EX_CONFIG, "%s", key_error);
	raise_descriptor_limit();
	tzset(); /* reads a file that is out of reach later */
	spool = open_spool(settings.queue_path);
	r = run_queue(spool, &settings, dkim, is_watching);
	spool_close(spool);
	dkim_close(dkim);
	if (r == -ESTALE && is_watching) {
		(void)sleep(1); /* whoever removes it may still be at it */
		return SUPERVISE_AGAIN;
	}
	if (r == -ESTALE)
		errx(EX_TEMPFAIL,
		    "%s, or a file of the system's, was replaced meanwhile",
		    settings.queue_path);
	if (r < 0)
		errc(EX_TEMPFAIL, -r, "%s", settings.queue_path);
	return EX_OK;
}
