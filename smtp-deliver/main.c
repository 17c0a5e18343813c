/* SPDX-License-Identifier: ISC */

/*
 * main.c - smtp-deliver: send queued messages to their recipients' hosts.
 *
 * See smtp-deliver(8).
 */

#include "config.h"

#include <sys/resource.h>

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/audit.h"
#include "lib/clock.h"
#include "lib/environment.h"
#include "lib/privileges.h"
#include "lib/spool/fault.h"
#include "lib/spool/probe.h"
#include "lib/spool/scan.h"
#include "lib/spool/spool.h"
#include "lib/supervise.h"
#include "lib/tls.h"
#include "lib/usage.h"
#include "smtp-deliver/client/credentials.h"
#include "smtp-deliver/content/dkim.h"
#include "smtp-deliver/content/masquerade.h"
#include "smtp-deliver/queue/run.h"
#include "smtp-deliver/route/rules.h"
#include "smtp-deliver/settings.h"
#include "smtp-deliver/worker/explain.h"

#define CONFIGURATION_ERROR_SIZE FAULT_SIZE

/* The settings, and what was made of the texts and files that they name. */
struct configuration {
	struct deliver_settings settings;
	struct rules *rules;
	struct dkim *dkim; /* NULL: nothing is signed */
	struct credentials *credentials;
};

static const char usage[] =
    "usage: smtp-deliver [--watch]\n"
    "       smtp-deliver --check\n"
    "       smtp-deliver --next\n"
    "       smtp-deliver --explain [--from ADDRESS] ADDRESS...\n"
    "       smtp-deliver --check-routes [FILE]\n"
    "       smtp-deliver --help | --version\n"
    "Delivers the mail that is due. See smtp-deliver(8).\n";

_Noreturn static void
end_misused(void)
{
	(void)fputs(usage, stderr);
	exit(EX_USAGE);
}

enum mode {
	MODE_RUN,
	MODE_WATCH,
	MODE_CHECK,
	MODE_NEXT,
	MODE_EXPLAIN,
	MODE_CHECK_ROUTES,
	OPTION_FROM, /* not a mode, but an option of MODE_EXPLAIN */
};

static enum mode
parse_options(int argc, char *argv[], const char **ret_sender)
{
	static const struct option options[] = {
		{ "check", no_argument, NULL, MODE_CHECK },
		{ "check-routes", no_argument, NULL, MODE_CHECK_ROUTES },
		{ "from", required_argument, NULL, OPTION_FROM },
		{ "explain", no_argument, NULL, MODE_EXPLAIN },
		{ "next", no_argument, NULL, MODE_NEXT },
		{ "watch", no_argument, NULL, MODE_WATCH },
		{ NULL, 0, NULL, 0 },
	};
	enum mode mode = MODE_RUN;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == OPTION_FROM)
			*ret_sender = optarg;
		else if (option == '?')
			end_misused();
		else
			mode = (enum mode)option;
	}
	if ((mode == MODE_EXPLAIN && optind == argc) ||
	    (mode == MODE_CHECK_ROUTES && optind + 1 < argc) ||
	    (mode < MODE_EXPLAIN && optind < argc) ||
	    (mode != MODE_EXPLAIN && *ret_sender != NULL))
		end_misused();
	return mode;
}

/* Each claimed message takes a descriptor. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Open the spool as its owner: root must not leave files there that the owner
 * cannot use. The owner may have no access to the path. */
static int
open_as_owner(const char *path, struct spool **ret_spool)
{
	int fd = spool_open_folder(path), r;

	if (fd < 0)
		return fd;
	if ((r = privileges_become_owner(path)) < 0) {
		close(fd);
		return r;
	}
	return spool_open_at(fd, ret_spool);
}

/* Open the spool. Its file system must have what a spool needs. */
static struct spool *
open_spool(const char *path)
{
	struct spool *spool;
	const char *lacking;
	int r;

	if ((r = open_as_owner(path, &spool)) < 0)
		errc(EX_TEMPFAIL, -r, "%s", path);
	if ((r = probe_check(spool, &lacking)) == -EOPNOTSUPP)
		errx(EX_CONFIG,
		    "%s cannot be the spool: its file system lacks %s", path,
		    lacking);
	if (r < 0)
		errc(EX_TEMPFAIL, -r, "%s", path);
	return spool;
}

/* ---- configuration ------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static int
fail(char ret_error[CONFIGURATION_ERROR_SIZE], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(ret_error, CONFIGURATION_ERROR_SIZE, format, args);
	va_end(args);
	return -EINVAL;
}

/* The findings about a routes file. */
struct finding {
	const char *path;
	char *error; /* the first mistake; CONFIGURATION_ERROR_SIZE */
};

static void
print_finding(void *context, unsigned line, bool is_mistake, const char *text)
{
	const struct finding *finding = context;

	(void)printf("%s:%u: %s%s\n", finding->path, line,
	    is_mistake ? "" : "warning: ", text);
}

static void
keep_mistake(void *context, unsigned line, bool is_mistake, const char *text)
{
	const struct finding *finding = context;

	if (is_mistake && *finding->error == '\0')
		(void)fail(finding->error,
		    "SMTP_ROUTES: %s:%u: %s "
		    "(--check-routes lists all mistakes)",
		    finding->path, line, text);
}

static int
read_routes(struct rules *rules, const char *path, rules_see *see,
    char ret_error[CONFIGURATION_ERROR_SIZE])
{
	struct finding finding = { path, ret_error };
	FILE *file = fopen(path, "re");
	int r;

	*ret_error = '\0';
	if (file == NULL)
		return fail(ret_error, "SMTP_ROUTES: %s: %s", path,
		    strerror(errno));
	r = rules_read(rules, file, see, &finding);
	(void)fclose(file);
	return r;
}

/* Mail that goes to the wrong host cannot be taken back: one mistake, and none
 * is sent. */
static int
load_rules(const struct deliver_settings *settings, struct rules **ret_rules,
    char ret_error[CONFIGURATION_ERROR_SIZE])
{
	char error[NEXTHOP_ERROR_SIZE];

	if (rules_open(settings->relayhost, ret_rules, error) < 0)
		return fail(ret_error, "SMTP_RELAYHOST has %s", error);
	if (settings->routes == NULL)
		return 0;
	return read_routes(*ret_rules, settings->routes, keep_mistake,
	    ret_error);
}

static int
check_masquerade(const struct deliver_settings *settings,
    char ret_error[CONFIGURATION_ERROR_SIZE])
{
	struct masquerade masquerade;
	char error[MASQUERADE_ERROR_SIZE];

	if (masquerade_parse(settings->masquerade, settings->hostname,
		&masquerade, error) < 0)
		return fail(ret_error, "SMTP_MASQUERADE has %s", error);
	return 0;
}

/* What can be told without secrets. Returns 0, or a negative errno with
 * ret_error naming the variable, its value and what was expected. */
static int
configure_routing(struct configuration *ret_configuration,
    char ret_error[CONFIGURATION_ERROR_SIZE])
{
	struct deliver_settings *settings = &ret_configuration->settings;
	char error[SETTINGS_ERROR_SIZE];
	int r;

	if (deliver_settings_load(settings, error) < 0)
		return fail(ret_error, "%s", error);
	if ((r = check_masquerade(settings, ret_error)) < 0)
		return r;
	return load_rules(settings, &ret_configuration->rules, ret_error);
}

/* Without trust anchors, hardly any host could be used. */
static int
check_anchors(const struct deliver_settings *settings,
    char ret_error[CONFIGURATION_ERROR_SIZE])
{
	struct tls_result result;

	if (settings->tls_ca_file != NULL &&
	    tls_check_anchors(settings->tls_ca_file, &result) < 0)
		return fail(ret_error, "SMTP_TLS_CA_FILE: %s", result.error);
	return 0;
}

/* All that a run needs. */
static int
configure(struct configuration *ret_configuration,
    char ret_error[CONFIGURATION_ERROR_SIZE])
{
	const struct deliver_settings *settings = &ret_configuration->settings;
	char key_error[DKIM_ERROR_SIZE], auth_error[CREDENTIALS_ERROR_SIZE];
	char error[SETTINGS_ERROR_SIZE];
	int r;

	if ((r = configure_routing(ret_configuration, ret_error)) < 0)
		return r;
	if ((r = check_anchors(settings, ret_error)) < 0)
		return r;
	if (spool_take_key(settings->queue_key_path, error) < 0)
		return fail(ret_error, "%s", error);
	if (dkim_open(settings, &ret_configuration->dkim, key_error) < 0)
		return fail(ret_error, "%s", key_error);
	if (credentials_open(settings, &ret_configuration->credentials,
		auth_error) < 0)
		return fail(ret_error, "%s", auth_error);
	return 0;
}

/* ---- modes --------------------------------------------------------------- */

static void
warn_of_unknown_variables(void)
{
	char text[SETTINGS_ERROR_SIZE];
	size_t position = 0;

	while (settings_next_unknown(&position, text))
		warnx("%s", text);
}

/* Read files as the user of the spool, as the units do. */
static void
act_as_owner(void)
{
	const char *path = settings_get("SMTP_QUEUE_PATH", SETTINGS_QUEUE_PATH);
	int r = privileges_act_as_owner(path);

	if (r < 0)
		errc(EX_TEMPFAIL, -r, "%s", path);
}

/* Say where the settings are from, because two users may have different ones.
 * error is of environment_load(). */
static void
print_origin(enum environment_origin origin, int error)
{
	const char *path = settings_get("SMTP_QUEUE_PATH", SETTINGS_QUEUE_PATH);

	if (origin == ENVIRONMENT_CALLER)
		(void)printf("settings: of this process; spool %s\n", path);
	else if (error < 0)
		(void)printf("settings: of this process, as %s cannot be read: "
			     "%s; spool %s\n",
		    environment_path(), strerror(-error), path);
	else
		(void)printf("settings: of the units, %s; spool %s\n",
		    environment_path(), path);
	(void)fflush(stdout);
}

static int
check(void)
{
	struct configuration configuration = { .rules = NULL };
	char error[CONFIGURATION_ERROR_SIZE];

	warn_of_unknown_variables();
	act_as_owner();
	if (configure(&configuration, error) < 0)
		errx(EX_CONFIG, "%s", error);
	rules_close(configuration.rules);
	dkim_close(configuration.dkim);
	credentials_close(configuration.credentials);
	(void)puts("smtp-deliver can use its settings");
	return EX_OK;
}

static int
explain(char *const addresses[], const char *sender)
{
	struct configuration configuration = { .rules = NULL };
	const struct deliver_settings *settings = &configuration.settings;
	struct credentials *credentials = NULL;
	struct spool *spool = NULL;
	char error[CONFIGURATION_ERROR_SIZE];
	char auth_error[CREDENTIALS_ERROR_SIZE];
	bool has_key, is_good;

	warn_of_unknown_variables();
	act_as_owner();
	if (configure_routing(&configuration, error) < 0)
		errx(EX_CONFIG, "%s", error);
	/* This user may not be allowed to read the credentials. */
	if (credentials_open(settings, &credentials, auth_error) < 0)
		warnx("%s; relays are tried without credentials", auth_error);
	has_key = spool_take_key(settings->queue_key_path, error) == 0;
	privileges_act_as_self();
	(void)signal(SIGPIPE, SIG_IGN);
	if (sender != NULL && strcmp(sender, "<>") == 0)
		sender = "";
	/* A user who may not read the spool, or its key, does without its
	 * policies. */
	if (has_key && spool_exists(settings->queue_path))
		(void)open_as_owner(settings->queue_path, &spool);
	is_good = explain_addresses(addresses, sender, spool, settings,
	    configuration.rules, credentials);
	credentials_close(credentials);
	spool_close(spool);
	rules_close(configuration.rules);
	return is_good ? EX_OK : EX_UNAVAILABLE;
}

static int
check_routes(const char *path)
{
	char error[CONFIGURATION_ERROR_SIZE], nexthop_error[NEXTHOP_ERROR_SIZE];
	struct rules *rules;
	size_t count;
	int r;

	if (path == NULL)
		path = settings_get("SMTP_ROUTES", NULL);
	if (path == NULL)
		errx(EX_USAGE, "no routes file: SMTP_ROUTES is not set");
	if (rules_open(NULL, &rules, nexthop_error) < 0)
		errx(EX_CONFIG, "%s", nexthop_error);
	r = read_routes(rules, path, print_finding, error);
	if (*error != '\0')
		errx(EX_CONFIG, "%s", error);
	count = rules_count(rules);
	if (r == 0)
		(void)printf("%s: %zu rule%s\n", path, count,
		    count == 1 ? "" : "s");
	rules_close(rules);
	return r == 0 ? EX_OK : EX_CONFIG;
}

/* Print the time of the next run as systemd.time(7) has it; nothing if no retry
 * waits. */
static int
print_next(void)
{
	const char *path = settings_get("SMTP_QUEUE_PATH", SETTINGS_QUEUE_PATH);
	char text[sizeof("2026-11-22 18:31:00 UTC")];
	struct tm tm;
	int64_t minute;
	time_t when;
	int r;

	act_as_owner();
	r = scan_find_next_run(path, clock_real_ms(), &minute);
	if (r < 0)
		errc(EX_TEMPFAIL, -r, "%s", path);
	if (r == 0)
		return EX_OK;
	when = (time_t)(minute * 60);
	gmtime_r(&when, &tm);
	(void)strftime(text, sizeof(text), "%F %T UTC", &tm);
	return puts(text) == EOF || fflush(stdout) == EOF ? EX_IOERR : EX_OK;
}

/* No mail leaves until a setting is corrected: /healthz shows that. */
_Noreturn static void
end_misconfigured(const char *error)
{
	const char *path = settings_get("SMTP_QUEUE_PATH", SETTINGS_QUEUE_PATH);

	if (privileges_become_owner(path) == 0)
		(void)fault_leave(path, FAULT_DELIVER, error);
	if (audit_write_setting(error))
		exit(EX_CONFIG);
	errx(EX_CONFIG, "%s", error);
}

static int
run(bool is_watching)
{
	struct configuration configuration = { .rules = NULL };
	const char *path;
	char error[CONFIGURATION_ERROR_SIZE];
	struct spool *spool;
	int r;

	audit_open("smtp-deliver", false);
	if (configure(&configuration, error) < 0)
		end_misconfigured(error);
	path = configuration.settings.queue_path;
	audit_open("smtp-deliver", configuration.settings.is_debug);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* write(2) fails with EFBIG */
	raise_descriptor_limit();
	tzset(); /* reads a file that the sandbox forbids */
	spool = open_spool(path);
	spool_reserve(spool, configuration.settings.free_space_mib);
	(void)fault_clear(spool, FAULT_DELIVER);
	r = run_queue(spool, &configuration.settings, configuration.dkim,
	    configuration.rules, configuration.credentials, is_watching);
	spool_close(spool);
	rules_close(configuration.rules);
	dkim_close(configuration.dkim);
	credentials_close(configuration.credentials);
	if (r == -ESTALE && is_watching) {
		(void)sleep(1); /* it may still be being removed */
		return SUPERVISE_AGAIN;
	}
	if (r == -ESTALE)
		errx(EX_TEMPFAIL,
		    "%s, or a file of the system, was replaced during the run",
		    path);
	if (r < 0)
		errc(EX_TEMPFAIL, -r, "%s", path);
	return EX_OK;
}

int
main(int argc, char *argv[])
{
	const char *sender = NULL;
	enum mode mode;
	enum environment_origin origin;
	int r = usage_answer(argc, argv, "smtp-deliver", usage);

	if (r != 0)
		return r < 0 ? EX_IOERR : EX_OK;
	mode = parse_options(argc, argv, &sender);
	r = environment_load(&origin);
	if (r < 0 && mode != MODE_EXPLAIN)
		errc(EX_CONFIG, -r, "%s", environment_path());
	switch (mode) {
	case MODE_CHECK:
		return check();
	case MODE_NEXT:
		return print_next();
	case MODE_CHECK_ROUTES:
		return check_routes(optind < argc ? argv[optind] : NULL);
	case MODE_EXPLAIN:
		print_origin(origin, r);
		return explain(argv + optind, sender);
	default:
		break;
	}
	if (mode == MODE_WATCH)
		supervise();
	run_catch_signals();
	return run(mode == MODE_WATCH);
}
