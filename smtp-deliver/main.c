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
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/audit.h"
#include "lib/privileges.h"
#include "smtp-deliver/settings.h"
#include "lib/spool/probe.h"
#include "lib/spool/spool.h"
#include "lib/supervise.h"
#include "smtp-deliver/client/credentials.h"
#include "smtp-deliver/content/dkim.h"
#include "smtp-deliver/worker/explain.h"
#include "smtp-deliver/content/masquerade.h"
#include "smtp-deliver/route/rules.h"
#include "smtp-deliver/queue/run.h"

_Noreturn static void
usage(void)
{
	(void)fprintf(stderr,
	    "usage: smtp-deliver [--watch]\n"
	    "       smtp-deliver --explain [--from ADDRESS] ADDRESS...\n"
	    "       smtp-deliver --check-routes [FILE]\n");
	exit(EX_USAGE);
}

enum mode {
	MODE_RUN,
	MODE_WATCH,
	MODE_EXPLAIN,
	MODE_CHECK_ROUTES,
	OPTION_FROM, /* no mode, but part of one */
};

static enum mode
parse_options(int argc, char *argv[], const char **ret_sender)
{
	static const struct option options[] = {
		{ "check-routes", no_argument, NULL, MODE_CHECK_ROUTES },
		{ "from", required_argument, NULL, OPTION_FROM },
		{ "explain", no_argument, NULL, MODE_EXPLAIN },
		{ "watch", no_argument, NULL, MODE_WATCH },
		{ NULL, 0, NULL, 0 },
	};
	enum mode mode = MODE_RUN;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == OPTION_FROM)
			*ret_sender = optarg;
		else if (option == '?')
			usage();
		else
			mode = (enum mode)option;
	}
	if ((mode == MODE_EXPLAIN && optind == argc) ||
	    (mode == MODE_CHECK_ROUTES && optind + 1 < argc) ||
	    (mode < MODE_EXPLAIN && optind < argc) ||
	    (mode != MODE_EXPLAIN && *ret_sender != NULL))
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

	/* Root must not leave files there that the owner cannot use. */
	if ((r = privileges_become_owner(path)) < 0 ||
	    (r = spool_open(path, &spool)) < 0)
		errc(EX_TEMPFAIL, -r, "%s", path);
	if ((r = probe_check(spool, &lacking)) == -EOPNOTSUPP)
		errx(EX_CONFIG,
		    "%s cannot be the spool: its file system lacks %s", path,
		    lacking);
	if (r < 0)
		errc(EX_TEMPFAIL, -r, "%s", path);
	return spool;
}

static int
explain(char *const addresses[], const char *sender,
    const struct deliver_settings *settings, const struct rules *rules)
{
	struct credentials *credentials = NULL;
	struct spool *spool = NULL;
	char error[CREDENTIALS_ERROR_SIZE];
	bool is_good;

	(void)signal(SIGPIPE, SIG_IGN);
	if (sender != NULL && strcmp(sender, "<>") == 0)
		sender = "";
	/* Who may not look into the spool does without what is kept there. */
	if (spool_exists(settings->queue_path) &&
	    privileges_become_owner(settings->queue_path) == 0)
		(void)spool_open(settings->queue_path, &spool);
	/* Who asks need not be who delivers, and may not be one to know. */
	if (credentials_open(settings, &credentials, error) < 0)
		warnx("%s; relays are looked at without that", error);
	is_good = explain_addresses(addresses, sender, spool, settings, rules,
	    credentials);
	credentials_close(credentials);
	spool_close(spool);
	return is_good ? EX_OK : EX_UNAVAILABLE;
}

/* ---- routes -------------------------------------------------------------- */

/* What the lines are of. */
struct finding {
	const char *path;
};

static void
print_finding(void *context, unsigned line, bool is_mistake, const char *text)
{
	const struct finding *finding = context;

	(void)printf("%s:%u: %s%s\n", finding->path, line,
	    is_mistake ? "" : "warning: ", text);
}

/* Mail that goes to the wrong host cannot be taken back: none is sent. */
static void
end_at_mistake(void *context, unsigned line, bool is_mistake, const char *text)
{
	const struct finding *finding = context;

	if (is_mistake)
		errx(EX_CONFIG,
		    "SMTP_ROUTES: %s:%u: %s (--check-routes tells all)",
		    finding->path, line, text);
}

static struct rules *
open_rules(const char *relayhost)
{
	struct rules *rules;
	char error[NEXTHOP_ERROR_SIZE];

	if (rules_open(relayhost, &rules, error) < 0)
		errx(EX_CONFIG, "SMTP_RELAYHOST has %s", error);
	return rules;
}

static int
read_routes(struct rules *rules, const char *path, rules_see *see)
{
	struct finding finding = { path };
	FILE *file = fopen(path, "re");
	int r;

	if (file == NULL)
		errc(EX_CONFIG, errno, "SMTP_ROUTES: %s", path);
	r = rules_read(rules, file, see, &finding);
	(void)fclose(file);
	return r;
}

static struct rules *
load_rules(const struct deliver_settings *settings)
{
	struct rules *rules = open_rules(settings->relayhost);

	if (settings->routes != NULL)
		(void)read_routes(rules, settings->routes, end_at_mistake);
	return rules;
}

static void
check_masquerade(const struct deliver_settings *settings)
{
	struct masquerade masquerade;
	char error[MASQUERADE_ERROR_SIZE];

	if (masquerade_parse(settings->masquerade, settings->hostname,
		&masquerade, error) < 0)
		errx(EX_CONFIG, "SMTP_MASQUERADE has %s", error);
}

static int
check_routes(const char *path)
{
	struct rules *rules = open_rules(NULL);
	size_t count;
	int r;

	if (path == NULL)
		errx(EX_USAGE,
		    "there is no routes file: SMTP_ROUTES is not set");
	r = read_routes(rules, path, print_finding);
	count = rules_count(rules);
	if (r == 0)
		(void)printf("%s: %zu rule%s\n", path, count,
		    count == 1 ? "" : "s");
	rules_close(rules);
	return r == 0 ? EX_OK : EX_CONFIG;
}

int
main(int argc, char *argv[])
{
	const char *sender = NULL;
	enum mode mode = parse_options(argc, argv, &sender);
	bool is_watching = mode == MODE_WATCH;
	struct deliver_settings settings;
	char error[SETTINGS_ERROR_SIZE];
	char key_error[DKIM_ERROR_SIZE];
	char auth_error[CREDENTIALS_ERROR_SIZE];
	struct credentials *credentials;
	struct dkim *dkim;
	struct rules *rules;
	struct spool *spool;
	int r;

	if (is_watching)
		supervise();
	if (mode < MODE_EXPLAIN)
		run_catch_signals();
	if (settings_load(&settings, error) < 0)
		errx(EX_CONFIG, "%s", error);
	if (mode == MODE_CHECK_ROUTES)
		return check_routes(
		    optind < argc ? argv[optind] : settings.routes);
	check_masquerade(&settings);
	rules = load_rules(&settings);
	if (mode == MODE_EXPLAIN)
		return explain(argv + optind, sender, &settings, rules);
	audit_open("smtp-deliver", settings.is_debug);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* write(2) tells */
	if (dkim_open(&settings, &dkim, key_error) < 0)
		errx(EX_CONFIG, "%s", key_error);
	if (credentials_open(&settings, &credentials, auth_error) < 0)
		errx(EX_CONFIG, "%s", auth_error);
	raise_descriptor_limit();
	tzset(); /* reads a file that is out of reach later */
	spool = open_spool(settings.queue_path);
	r = run_queue(spool, &settings, dkim, rules, credentials, is_watching);
	spool_close(spool);
	rules_close(rules);
	dkim_close(dkim);
	credentials_close(credentials);
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
