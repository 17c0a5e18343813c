/* SPDX-License-Identifier: ISC */

/*
 * rules.c - the routes file: a finding is text and names a line, the rule that
 * matches is one of the file's or the last one, and the name of a destination
 * is unchanged after it is parsed and formatted again.
 *
 * The input is SMTP_RELAYHOST in the first line, a sender and a recipient in
 * the next two, then the file.
 */

#include "config.h"

#include "smtp-deliver/route/rules.h"
#include "t/fuzz/fuzz.h"

struct told {
	size_t lines;
	bool has_mistake;
};

static void
see(void *context, unsigned line, bool is_mistake, const char *text)
{
	struct told *told = context;

	must(line <= told->lines);
	must(*text != '\0');
	for (const char *p = text; *p != '\0'; p++)
		must((unsigned char)*p >= ' ' && *p != 0x7f);
	told->has_mistake = told->has_mistake || is_mistake;
}

/* Texts that no session accepts as an address are ignored. */
static bool
is_address(const char *text)
{
	const char *domain = address_domain(text);

	return *domain != '\0' && strlen(text) <= ADDRESS_PATH_MAX &&
	    domain[strcspn(domain, " \t")] == '\0';
}

static void
check_rule(const struct rules *rules, const char *sender, const char *recipient,
    size_t lines)
{
	const struct rule *rule = rules_find(rules, sender, recipient);
	char name[NEXTHOP_SIZE], again[NEXTHOP_SIZE];
	struct nexthop nexthop;

	must(rule->line <= lines);
	must(strncmp(rule->nexthop, "via ", 4) == 0);
	if (!is_address(recipient))
		return;
	rules_name_destination(rule, recipient, name);
	must(nexthop_parse_name(name, &nexthop) == 0);
	must(!nexthop.is_relayed || strcmp(name, rule->nexthop) == 0);
	must(nexthop.is_relayed ||
	    strcmp(nexthop.domain, address_domain(recipient)) == 0);
	nexthop_format(&nexthop, again);
	must(strcmp(name, again) == 0);
}

/* Take the first line off the text. */
static char *
take_line(char **text)
{
	char *line = strsep(text, "\n");

	if (*text == NULL)
		*text = line + strlen(line);
	return line;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *rest = text;
	const char *relayhost = take_line(&rest);
	const char *sender = take_line(&rest), *recipient = take_line(&rest);
	struct told told = { .lines = 1 };
	char error[NEXTHOP_ERROR_SIZE];
	struct rules *rules;
	FILE *file;

	for (const char *p = rest; *p != '\0'; p++)
		told.lines += *p == '\n';
	if (rules_open(*relayhost != '\0' ? relayhost : NULL, &rules, error) <
	    0) {
		must(*error != '\0' && strlen(error) < sizeof(error));
		free(text);
		return 0;
	}
	if (*rest != '\0') {
		file = fmemopen(rest, strlen(rest), "r");
		must(file != NULL);
		must((rules_read(rules, file, see, &told) == 0) ==
		    !told.has_mistake);
		must(fclose(file) == 0);
		must(rules_count(rules) <= told.lines);
	}
	check_rule(rules, sender, recipient, told.lines);
	check_rule(rules, NULL, recipient, told.lines);
	rules_close(rules);
	free(text);
	return 0;
}
