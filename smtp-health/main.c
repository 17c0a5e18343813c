/* SPDX-License-Identifier: ISC */

/*
 * main.c - smtp-health: report the state of this host's mail over HTTP.
 *
 *	/healthz	200, or 503 and why
 *	/metrics	counters and gauges
 *
 * Takes its listening socket from systemd and exits when idle; systemd starts
 * it again for the next client.
 */

#include "config.h"

#include <sys/socket.h>

#include <err.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <systemd/sd-daemon.h>

#include "lib/audit.h"
#include "lib/environment.h"
#include "lib/privileges.h"
#include "lib/sandbox.h"
#include "lib/spool/probe.h"
#include "lib/spool/spool.h"
#include "lib/spool/sandbox.h"
#include "lib/supervise.h"
#include "lib/usage.h"
#include "smtp-health/health.h"
#include "smtp-health/http.h"
#include "smtp-health/metrics.h"
#include "smtp-health/settings.h"

#define IDLE_MS (10 * 1000)

static const char usage[] = "usage: smtp-health [--stay]\n"
			    "       smtp-health --check\n"
			    "       smtp-health --help | --version\n"
			    "Serves HTTP on a socket that it inherits. See "
			    "smtp-health(8).\n";

struct program {
	const char *misconfiguration; /* NULL: the settings are valid */
	const char *spool_path;
	int free_space_mib;
	char **argv;
	struct sandbox_view view;
	bool is_outdated;
	bool is_trouble_known; /* it has been reported */
};

static unsigned write_health(void *context, const char *accept, FILE *out,
    const char **ret_type);
static unsigned write_metrics(void *context, const char *accept, FILE *out,
    const char **ret_type);
static bool check_outdated(void *context);

static const struct http_page pages[] = {
	{ "/healthz", write_health },
	{ "/metrics", write_metrics },
	{ NULL, NULL },
};

/* A spool that was made or mounted after we entered the sandbox can be checked
 * by a new process only. */
static bool
check_outdated(void *context)
{
	struct program *program = context;

	program->is_outdated = sandbox_is_outdated(&program->view);
	return program->is_outdated;
}

static void
enter_sandbox(struct program *program)
{
	struct sandbox sandbox;

	sandbox_begin(&sandbox, SANDBOX_HEALTH);
	program->view = sandbox_open_view(program->spool_path, &sandbox,
	    sandbox_allow_health);
	audit_write_missing(sandbox_enter(&sandbox));
}

static unsigned
write_misconfiguration(const struct program *program, FILE *out)
{
	(void)fprintf(out, "%s\n", program->misconfiguration);
	return 503;
}

static unsigned
write_health(void *context, const char *accept, FILE *out,
    const char **ret_type)
{
	struct program *program = context;
	char reason[HEALTH_REASON_SIZE];

	(void)accept;
	(void)ret_type;
	if (program->misconfiguration != NULL)
		return write_misconfiguration(program, out);
	if (health_check(program->spool_path, program->free_space_mib,
		reason) == 0) {
		program->is_trouble_known = false;
		(void)fputs("OK\n", out);
		return 200;
	}
	/* Once, not for each request of a monitor. */
	if (!program->is_trouble_known)
		audit_write(&(struct audit_record){ .event = AUDIT_TROUBLE,
		    .reason = reason });
	program->is_trouble_known = true;
	(void)fprintf(out, "%s\n", reason);
	return 503;
}

static unsigned
write_metrics(void *context, const char *accept, FILE *out,
    const char **ret_type)
{
	const struct program *program = context;
	enum metrics_format format = metrics_choose_format(accept);
	struct metric metrics[METRICS];
	struct spool *spool = NULL;
	int r;

	if (program->misconfiguration != NULL)
		return write_misconfiguration(program, out);
	if ((r = spool_open(program->spool_path, &spool)) == 0)
		r = metrics_read(spool, metrics);
	spool_close(spool);
	if (r < 0) {
		(void)fprintf(out, "spool %s: %s\n", program->spool_path,
		    strerror(-r));
		return 503;
	}
	*ret_type = metrics_content_type(format);
	metrics_write(metrics, format, program->argv, out);
	return 200;
}

static _Noreturn void
end_misused(void)
{
	(void)fputs(usage, stderr);
	exit(EX_USAGE);
}

enum mode {
	MODE_SERVE, /* and exit when idle */
	MODE_STAY,
	MODE_CHECK,
};

static enum mode
parse_arguments(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "check", no_argument, NULL, MODE_CHECK },
		{ "stay", no_argument, NULL, MODE_STAY },
		{ NULL, 0, NULL, 0 },
	};
	enum mode mode = MODE_SERVE;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			end_misused();
		mode = (enum mode)option;
	}
	if (optind < argc)
		end_misused();
	return mode;
}

/* Load the settings: without a unit, those of the units. */
static int
load_settings(struct health_settings *ret_settings,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	enum environment_origin origin;
	int r = environment_load(&origin);

	if (r < 0) {
		(void)settings_fail(ret_error, "%s: %s", environment_path(),
		    strerror(-r));
		return r;
	}
	return health_settings_load(ret_settings, ret_error);
}

/* Tell whether the settings can be used. */
static int
check(void)
{
	struct health_settings settings;
	char error[SETTINGS_ERROR_SIZE];
	int r = load_settings(&settings, error);

	audit_write_unknown_variables();
	if (r < 0)
		errx(EX_CONFIG, "%s", error);
	if ((r = privileges_act_as_owner(settings.queue_path)) < 0)
		errc(EX_TEMPFAIL, -r, "%s", settings.queue_path);
	if (spool_take_key(settings.queue_key_path, error) < 0)
		errx(EX_CONFIG, "%s", error);
	(void)puts("smtp-health can use its settings");
	return EX_OK;
}

/* The socket that systemd listens on. */
static int
take_socket(void)
{
	int count = sd_listen_fds(1);

	if (count < 0)
		errc(EX_USAGE, -count, "LISTEN_FDS");
	if (count != 1)
		errx(EX_USAGE,
		    "%d sockets were passed; expected one that listens, from "
		    "smtpserver-health.socket or systemd-socket-activate(1)",
		    count);
	if (sd_is_socket(SD_LISTEN_FDS_START, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
		errx(EX_USAGE, "the socket that was passed does not listen");
	return SD_LISTEN_FDS_START;
}

/* Report a setting that is invalid. With a socket the pages show it: a monitor
 * must not have to guess why there is no answer. */
static void
report_misconfigured(const char *error)
{
	if (!audit_write_setting(error))
		warnx("%s", error);
	if (sd_listen_fds(0) < 1)
		exit(EX_CONFIG);
}

int
main(int argc, char *argv[])
{
	int answered = usage_answer(argc, argv, "smtp-health", usage);
	enum mode mode =
	    answered == 0 ? parse_arguments(argc, argv) : MODE_SERVE;
	struct program program = { .argv = argv };
	struct health_settings settings;
	char error[SETTINGS_ERROR_SIZE];
	const char *names[] = { settings.hostname, NULL };
	const struct http_site site = { pages, names, check_outdated,
		&program };
	int fd, r;

	if (answered != 0)
		return answered < 0 ? EX_IOERR : EX_OK;
	audit_open("smtp-health", false);
	if (mode == MODE_CHECK)
		return check();
	if (load_settings(&settings, error) < 0 ||
	    spool_take_key(settings.queue_key_path, error) < 0) {
		report_misconfigured(error);
		program.misconfiguration = error;
		names[0] = NULL;
		settings = (struct health_settings){
			.queue_path =
			    settings_get("SMTP_QUEUE_PATH", SETTINGS_QUEUE_PATH)
		};
	}
	audit_open("smtp-health", settings.is_debug);
	program.spool_path = settings.queue_path;
	program.free_space_mib = settings.free_space_mib;
	fd = take_socket();
	audit_write_unknown_variables();
	supervise();
	tzset(); /* reads a file that the sandbox does not allow */
	/* Root must not leave files in the spool that its owner cannot use. */
	if ((r = privileges_become_owner(program.spool_path)) < 0)
		errc(EX_TEMPFAIL, -r, "%s", program.spool_path);
	enter_sandbox(&program);
	r = http_serve(fd, &site, mode == MODE_STAY ? -1 : IDLE_MS);
	if (r < 0)
		errc(EX_OSERR, -r, "serving HTTP");
	return program.is_outdated ? SUPERVISE_AGAIN : EX_OK;
}
