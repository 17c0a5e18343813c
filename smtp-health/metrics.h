/* SPDX-License-Identifier: ISC */

#ifndef METRICS_H
#define METRICS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/counters.h"
#include "lib/spool/spool.h"

#define METRICS (COUNTERS + 2)

struct metric {
	const char *name;
	const char *help;
	bool is_counter; /* else a gauge */
	uint64_t value;
};

/* Read all metrics. Returns 0 or a negative errno. */
int metrics_read(struct spool *spool, struct metric ret_metrics[METRICS]);

/* Formats, the preferred one first where a client accepts several equally. */
enum metrics_format {
	METRICS_EXPVAR, /* JSON as in Go's expvar */
	METRICS_OPENMETRICS, /* OpenMetrics 1.0 */
	METRICS_PROMETHEUS, /* the Prometheus text format, 0.0.4 */
	METRICS_FORMATS,
};

/* Choose a format by a client's Accept field; METRICS_EXPVAR if the client
 * accepts none. */
enum metrics_format metrics_choose_format(const char *accept);
const char *metrics_content_type(enum metrics_format format);

/* argv is the program's, for expvar's cmdline. */
void metrics_write(const struct metric metrics[METRICS],
    enum metrics_format format, char *const argv[], FILE *out);

#endif
