/* SPDX-License-Identifier: ISC */

/*
 * attempts.c - the lines of an attempt file.
 *
 *	1 1763836310123 0 deferred 4.4.1 mx.example.org[192.0.2.1]: timed out
 *
 * Number of the attempt, time, recipient, state, status, detail. Files are only
 * appended to, a line at a time. A recipient's last line holds. Pure.
 */

#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/text.h"
#include "lib/spool/attempts.h"

/* The first row with a word is the state that it is read as. */
static const struct {
	const char *name;
	struct recipient_state state;
} state_names[] = {
	{ "delivered", { OUTCOME_DELIVERED, TOLD_NO } },
	{ "deferred", { OUTCOME_DEFERRED, TOLD_NO } },
	{ "failed", { OUTCOME_FAILED, TOLD_NO } },
	{ "returned", { OUTCOME_FAILED, TOLD_YES } },
	{ "relayed", { OUTCOME_DELIVERED, TOLD_OWED } },
	{ "delayed", { OUTCOME_DEFERRED, TOLD_YES } },
	{ "delivered", { OUTCOME_DELIVERED, TOLD_YES } },
};

#define STATES (sizeof(state_names) / sizeof(state_names[0]))

const char *
state_name(struct recipient_state state)
{
	for (size_t i = 0; i < STATES; i++)
		if (state_names[i].state.outcome == state.outcome &&
		    state_names[i].state.told == state.told)
			return state_names[i].name;
	return "none";
}

size_t
attempt_render(const struct attempt *attempt, char ret_line[ATTEMPT_LINE_SIZE])
{
	(void)snprintf(ret_line, ATTEMPT_LINE_SIZE, "%u %" PRId64 " %zu %s %s ",
	    attempt->number, attempt->time_real_ms, attempt->recipient,
	    state_name(attempt->state), attempt->status);
	/* A long detail is cut, to leave an octet for the newline. */
	(void)strlcat(ret_line, attempt->detail, ATTEMPT_LINE_SIZE - 1);
	text_make_printable(ret_line);
	return strlcat(ret_line, "\n", ATTEMPT_LINE_SIZE);
}

/* The parts that are there are separated by colons. */
void
attempt_set_detail(struct attempt *attempt, const char *host,
    const char *reason, const char *reply)
{
	(void)snprintf(attempt->detail, sizeof(attempt->detail),
	    "%.300s%s%.300s%s%.300s", host,
	    *host != '\0' && (*reason != '\0' || *reply != '\0') ? ": " : "",
	    reason, *reason != '\0' && *reply != '\0' ? ": " : "", reply);
}

/* Return the length of the host with its address at the start of a detail, or
 * 0. */
static size_t
host_length(const char *detail)
{
	size_t length = strcspn(detail, " ");

	if (length < 3 || detail[length - 2] != ']' ||
	    detail[length - 1] != ':')
		return 0;
	return length - 1;
}

static bool
is_reply(const char *text)
{
	return text[0] >= '2' && text[0] <= '5' &&
	    isdigit((unsigned char)text[1]) &&
	    isdigit((unsigned char)text[2]) &&
	    (text[3] == ' ' || text[3] == '-' || text[3] == '\0');
}

/* Find a host's reply by its code. */
static const char *
find_reply(const char *text)
{
	while (!is_reply(text)) {
		if ((text = strstr(text, ": ")) == NULL)
			return NULL;
		text += 2;
	}
	return text;
}

static void
copy_part(const char *text, size_t length, char ret_part[ATTEMPT_PART_SIZE])
{
	if (length >= ATTEMPT_PART_SIZE)
		length = ATTEMPT_PART_SIZE - 1;
	memcpy(ret_part, text, length);
	ret_part[length] = '\0';
}

void
attempt_get_detail(const struct attempt *attempt,
    struct attempt_detail *ret_detail)
{
	const char *text = attempt->detail, *reply;
	size_t length = host_length(text);

	copy_part(text, length, ret_detail->host);
	if (length > 0)
		text += length + strspn(text + length, ": ");
	/* Only a host replies. */
	reply = length > 0 ? find_reply(text) : NULL;
	length = reply == NULL ? strlen(text)
	    : reply > text     ? (size_t)(reply - text) - 2
			       : 0;
	copy_part(text, length, ret_detail->reason);
	copy_part(reply != NULL ? reply : "", reply != NULL ? strlen(reply) : 0,
	    ret_detail->reply);
}

static int
parse_state(const char *name, struct recipient_state *ret_state)
{
	for (size_t i = 0; i < STATES; i++)
		if (strcmp(name, state_names[i].name) == 0) {
			*ret_state = state_names[i].state;
			return 0;
		}
	return -EBADMSG;
}

/* A line without its newline. */
static int
parse_line(const char *line, struct attempt *ret_attempt)
{
	char name[12];
	int detail = 0;

	/* NOLINTNEXTLINE(cert-err34-c): the widths bound each number */
	if (sscanf(line, "%9u %18" SCNd64 " %9zu %11s %11s%n",
		&ret_attempt->number, &ret_attempt->time_real_ms,
		&ret_attempt->recipient, name, ret_attempt->status,
		&detail) != 5 ||
	    line[detail] != ' ' ||
	    /* sscanf(3) takes signs as well. */
	    line[strspn(line, "0123456789 ")] != *name)
		return -EBADMSG;
	(void)strlcpy(ret_attempt->detail, line + detail + 1,
	    sizeof(ret_attempt->detail));
	ret_attempt->is_untried = false;
	return parse_state(name, &ret_attempt->state);
}

int
attempt_parse(const char *text, size_t length, struct attempt *ret_attempt,
    size_t *ret_used)
{
	const char *end = memchr(text, '\n', length);
	char line[ATTEMPT_LINE_SIZE];
	size_t n;

	if (end == NULL)
		return -EAGAIN;
	n = (size_t)(end - text);
	*ret_used = n + 1;
	if (n >= sizeof(line) || memchr(text, '\0', n) != NULL)
		return -EBADMSG;
	memcpy(line, text, n);
	line[n] = '\0';
	if (parse_line(line, ret_attempt) < 0)
		return -EBADMSG;

	/* A line that we would not have written is damaged. */
	if (attempt_render(ret_attempt, line) != *ret_used ||
	    memcmp(line, text, *ret_used) != 0)
		return -EBADMSG;
	return 0;
}
