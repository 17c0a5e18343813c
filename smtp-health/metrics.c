/* SPDX-License-Identifier: ISC */

/*
 * metrics.c - read the metrics and write them in the formats of clients.
 *
 * Counters are the spool's, gauges are determined on request. Names are an
 * interface: dashboards and alerts use them.
 */

#include "config.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "lib/presence.h"
#include "lib/spool/scan.h"
#include "smtp-health/accept.h"
#include "smtp-health/metrics.h"

struct format {
	const char *type;
	const char *version;
	const char *content_type;
};

static const struct format formats[METRICS_FORMATS] = {
	[METRICS_EXPVAR] = { "application/json", NULL,
	    "application/json; charset=utf-8" },
	[METRICS_OPENMETRICS] = { "application/openmetrics-text", "1.0.0",
	    "application/openmetrics-text; version=1.0.0; charset=utf-8" },
	[METRICS_PROMETHEUS] = { "text/plain", "0.0.4",
	    "text/plain; version=0.0.4; charset=utf-8" },
};

static int
read_counters(struct spool *spool, struct metric ret_metrics[COUNTERS])
{
	struct counters *counters;
	int fd = spool_open_counters(spool), r;

	if (fd < 0)
		return fd;
	if ((r = counters_open(fd, &counters)) < 0)
		return r;
	for (enum counter i = 0; i < COUNTERS; i++)
		ret_metrics[i] = (struct metric){
			.name = counter_name(i),
			.help = counter_help(i),
			.is_counter = true,
			.value = counters_get(counters, i),
		};
	counters_close(counters);
	return 0;
}

static int
read_queue_depth(struct spool *spool, struct metric *ret_metric)
{
	uint64_t count;
	int r = scan_count(spool, &count);

	if (r == 0)
		*ret_metric = (struct metric){
			.name = "smtp_queue_depth",
			.help = "Messages in the queue.",
			.value = count,
		};
	return r;
}

static int
read_sessions(struct spool *spool, struct metric *ret_metric)
{
	uint64_t count;
	int fd = spool_open_sessions(spool), r;

	if (fd < 0)
		return fd;
	r = presence_count(fd, &count);
	close(fd);
	if (r == 0)
		*ret_metric = (struct metric){
			.name = "smtp_sessions_active",
			.help = "SMTP sessions that are open.",
			.value = count,
		};
	return r;
}

int
metrics_read(struct spool *spool, struct metric ret_metrics[METRICS])
{
	int r;

	if ((r = read_counters(spool, ret_metrics)) < 0 ||
	    (r = read_queue_depth(spool, &ret_metrics[COUNTERS])) < 0 ||
	    (r = read_sessions(spool, &ret_metrics[COUNTERS + 1])) < 0)
		return r;
	return 0;
}

enum metrics_format
metrics_choose_format(const char *accept)
{
	enum metrics_format best = METRICS_EXPVAR;
	int best_quality = 0;

	for (enum metrics_format i = 0; i < METRICS_FORMATS; i++) {
		int quality =
		    accept_quality(accept, formats[i].type, formats[i].version);

		if (quality > best_quality) {
			best = i;
			best_quality = quality;
		}
	}
	return best;
}

const char *
metrics_content_type(enum metrics_format format)
{
	return formats[format].content_type;
}

/* A JSON string (RFC 8259 section 7). Octets outside ASCII need not be UTF-8,
 * which JSON must be: each becomes U+FFFD. */
static void
write_string(const char *text, FILE *out)
{
	(void)fputc('"', out);
	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == '"' || c == '\\')
			(void)fprintf(out, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			(void)fprintf(out, "\\u%04x", c);
		else if (c >= 0x80)
			(void)fputs("\\ufffd", out);
		else
			(void)fputc(c, out);
	}
	(void)fputc('"', out);
}

static void
write_expvar(const struct metric metrics[METRICS], char *const argv[],
    FILE *out)
{
	(void)fputs("{\n\"cmdline\": [", out);
	for (size_t i = 0; argv[i] != NULL; i++) {
		if (i > 0)
			(void)fputs(", ", out);
		write_string(argv[i], out);
	}
	(void)fputc(']', out);
	for (size_t i = 0; i < METRICS; i++)
		(void)fprintf(out, ",\n\"%s\": %" PRIu64, metrics[i].name,
		    metrics[i].value);
	(void)fputs("\n}\n", out);
}

/* The length of a metric's name without a counter's "_total": OpenMetrics has
 * that at the sample, but not at what describes the metric. */
static int
family_length(const struct metric *metric)
{
	size_t length = strlen(metric->name);

	if (metric->is_counter)
		length -= strlen("_total");
	return (int)length;
}

static void
write_text(const struct metric metrics[METRICS], bool is_openmetrics, FILE *out)
{
	for (size_t i = 0; i < METRICS; i++) {
		const struct metric *metric = &metrics[i];
		int length = is_openmetrics ? family_length(metric)
					    : (int)strlen(metric->name);

		(void)fprintf(out, "# HELP %.*s %s\n", length, metric->name,
		    metric->help);
		(void)fprintf(out, "# TYPE %.*s %s\n", length, metric->name,
		    metric->is_counter ? "counter" : "gauge");
		(void)fprintf(out, "%s %" PRIu64 "\n", metric->name,
		    metric->value);
	}
	if (is_openmetrics)
		(void)fputs("# EOF\n", out);
}

void
metrics_write(const struct metric metrics[METRICS], enum metrics_format format,
    char *const argv[], FILE *out)
{
	if (format == METRICS_EXPVAR)
		write_expvar(metrics, argv, out);
	else
		write_text(metrics, format == METRICS_OPENMETRICS, out);
}
