/* SPDX-License-Identifier: ISC */

/*
 * rules.c - the routes file: next hops by recipient and sender.
 *
 *	to example.org		via [mail.example.org]:587 tls verify
 *	from app@example.net	via mx tls dane
 *	all			via relay.example.com
 *
 * The first rule that matches applies. To find it, rules are sorted by their
 * keys. An address is looked up by each key that can match it (the address, its
 * domain, each domain above that); of the rules found, the one of the lowest
 * line is the first.
 */

#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/utf8.h"
#include "smtp-deliver/net/dns.h"
#include "lib/text.h"
#include "smtp-deliver/route/rules.h"

#define BLANKS " \t\r"
#define KEY_SIZE (ADDRESS_SIZE + DNS_NAME_SIZE)
#define NULL_SENDER "<>"
#define DIRECT "via mx"
#define WORDS_EXPECTED                                                         \
	"expected \"to PATTERN via RELAY...\", \"from PATTERN via RELAY...\" " \
	"or \"all via RELAY...\""

enum side {
	SIDE_ALL,
	SIDE_TO,
	SIDE_FROM,
};

/* A rule with its key. */
struct entry {
	struct rule rule;
	enum side side;
	const char *key; /* within who */
	char *who, *nexthop; /* the rule's */
	size_t number; /* in the file, from 0 */
};

struct rules {
	struct entry last; /* after all others */
	size_t count;
	size_t room;
	struct entry *entries; /* in the order of the file; sorted later */
	size_t port_count;
	uint16_t *ports;
};

/* A file while it is read. */
struct reading {
	struct rules *rules;
	unsigned line;
	bool has_mistake;
	rules_see *see;
	void *context;
};

__attribute__((format(printf, 3, 4))) static void
tell(struct reading *reading, bool is_mistake, const char *format, ...)
{
	char text[RULES_TEXT_SIZE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text_make_printable(text);
	reading->has_mistake = reading->has_mistake || is_mistake;
	reading->see(reading->context, reading->line, is_mistake, text);
}

/* ---- keys ---- */

/* Write a domain or an address in the form in which it is compared: in lower
 * case, domains as the DNS has them. */
static void
make_key(const char *text, char ret_key[KEY_SIZE])
{
	const char *at = strrchr(text, '@');
	const char *domain = at != NULL ? at + 1 : text;
	size_t used = (size_t)(domain - text);
	char ascii[DNS_NAME_SIZE];

	if (*domain == '.')
		used++;
	(void)strlcpy(ret_key, text, KEY_SIZE);
	if (has_high_octet(text + used, strlen(text + used)) &&
	    idna_to_ascii(text + used, ascii) == 0)
		(void)strlcpy(ret_key + used, ascii, KEY_SIZE - used);
	for (char *p = ret_key; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
}

static int
compare_keys(const struct entry *entry, enum side side, const char *key)
{
	if (entry->side != side)
		return entry->side < side ? -1 : 1;
	return strcmp(entry->key, key);
}

static int
compare_entries(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;
	int r = compare_keys(left, right->side, right->key);

	if (r != 0)
		return r;
	return (left->rule.line > right->rule.line) -
	    (left->rule.line < right->rule.line);
}

/* Return the first rule with a key, if it precedes another rule. */
static const struct entry *
find_before(const struct rules *rules, enum side side, const char *key,
    const struct entry *other)
{
	size_t low = 0, high = rules->count;
	const struct entry *found;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_keys(&rules->entries[middle], side, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == rules->count)
		return other;
	found = &rules->entries[low];
	if (compare_keys(found, side, key) != 0 ||
	    (other->rule.line != 0 && other->rule.line < found->rule.line))
		return other;
	return found;
}

/* Return the first rule that matches everything that a key matches, if it
 * precedes another rule. */
static const struct entry *
find_first(const struct rules *rules, enum side side, const char *key,
    const struct entry *other)
{
	const char *at = strrchr(key, '@');

	other = find_before(rules, side, key, other);
	if (at != NULL)
		other = find_before(rules, side, key = at + 1, other);
	/* "a.b.c" is below ".b.c" and ".c", and so is ".a.b.c". */
	while ((key = strchr(key + (*key == '.'), '.')) != NULL)
		other = find_before(rules, side, key, other);
	return other;
}

/* ---- a line ---- */

/* Take the next word. Returns NULL at the end or at a comment. A quoted string
 * is part of a word with all its characters. */
static char *
take_word(char **line)
{
	char *word = *line + strspn(*line, BLANKS), *p;
	bool is_quoted = false;

	if (*word == '\0' || *word == '#') {
		*line = word + strlen(word);
		return NULL;
	}
	for (p = word; *p != '\0'; p++) {
		if (!is_quoted && strchr(BLANKS, *p) != NULL)
			break;
		if (*p == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && *p == '\\' && p[1] != '\0')
			p++;
	}
	*line = *p != '\0' ? p + 1 : p;
	*p = '\0';
	return word;
}

static bool
is_address(const char *text)
{
	struct address address;

	return address_parse(text, ADDRESS_UTF8, &address) == 0;
}

static bool
is_pattern(enum side side, const char *text)
{
	if (side == SIDE_FROM && strcmp(text, NULL_SENDER) == 0)
		return true;
	if (*text == '.')
		return text[1] != '[' && is_domain(text + 1, true);
	return is_domain(text, true) || is_address(text);
}

static bool
take_side(const char *word, enum side *ret_side)
{
	static const char *const names[] = {
		[SIDE_ALL] = "all",
		[SIDE_TO] = "to",
		[SIDE_FROM] = "from",
	};

	for (enum side i = SIDE_ALL; i <= SIDE_FROM; i++) {
		*ret_side = i;
		if (word != NULL && strcasecmp(word, names[i]) == 0)
			return true;
	}
	return false;
}

/* Parse the first words of a rule: what it matches. */
static bool
parse_who(struct reading *reading, char **line, enum side *ret_side,
    char ret_key[KEY_SIZE])
{
	const char *word = take_word(line);

	*ret_key = '\0';
	if (!take_side(word, ret_side)) {
		tell(reading, true, "\"%.64s\"; " WORDS_EXPECTED, word);
		return false;
	}
	if (*ret_side == SIDE_ALL)
		return true;
	word = take_word(line);
	if (word == NULL || !is_pattern(*ret_side, word)) {
		tell(reading, true,
		    "\"%.64s\" after \"%s\"; expected a domain, .domain for "
		    "all below it, or an address%s",
		    word != NULL ? word : "",
		    *ret_side == SIDE_TO ? "to" : "from",
		    *ret_side == SIDE_FROM ? ", or <> for notices" : "");
		return false;
	}
	make_key(word, ret_key);
	return true;
}

/* Parse the rest of a rule: the next hop. */
static bool
parse_way(struct reading *reading, char **line, struct nexthop *ret_way)
{
	char text[RULES_LINE_MAX + 2] = "", error[NEXTHOP_ERROR_SIZE];
	const char *word = take_word(line);

	if (word == NULL || strcasecmp(word, "via") != 0) {
		tell(reading, true,
		    "\"%.64s\" in place of \"via\"; " WORDS_EXPECTED,
		    word != NULL ? word : "");
		return false;
	}
	while ((word = take_word(line)) != NULL) {
		(void)strlcat(text, *text != '\0' ? " " : "", sizeof(text));
		(void)strlcat(text, word, sizeof(text));
	}
	if (nexthop_parse(text, ret_way, error) == 0)
		return true;
	tell(reading, true, "%s", error);
	return false;
}

/* ---- the set ---- */

static void
free_entry(struct entry *entry)
{
	free(entry->who);
	free(entry->nexthop);
	entry->who = entry->nexthop = NULL;
}

/* Make an entry. Returns 0 or -ENOMEM. */
static int
fill_entry(struct entry *entry, unsigned line, enum side side, const char *key,
    const struct nexthop *nexthop)
{
	static const char *const names[] = {
		[SIDE_ALL] = "all",
		[SIDE_TO] = "to ",
		[SIDE_FROM] = "from ",
	};
	char who[KEY_SIZE + 8], name[NEXTHOP_SIZE + 8];

	(void)snprintf(who, sizeof(who), "%s%s", names[side], key);
	(void)strlcpy(name, nexthop->is_relayed ? "" : DIRECT, sizeof(name));
	nexthop_format(nexthop, name + strlen(name));
	entry->who = strdup(who);
	entry->nexthop = strdup(name);
	if (entry->who == NULL || entry->nexthop == NULL) {
		free_entry(entry);
		return -ENOMEM;
	}
	entry->rule = (struct rule){ line, entry->who, entry->nexthop };
	entry->side = side;
	entry->key = entry->who + strlen(names[side]);
	return 0;
}

static int
add_port(struct rules *rules, uint16_t port)
{
	uint16_t *larger;

	for (size_t i = 0; i < rules->port_count; i++)
		if (rules->ports[i] == port)
			return 0;
	larger =
	    reallocarray(rules->ports, rules->port_count + 1, sizeof(*larger));
	if (larger == NULL)
		return -ENOMEM;
	rules->ports = larger;
	larger[rules->port_count++] = port;
	return 0;
}

static int
add_ports(struct rules *rules, const struct nexthop *nexthop)
{
	int r = 0;

	if (!nexthop->is_relayed)
		return add_port(rules, 0);
	for (size_t i = 0; i < nexthop->relays.count && r == 0; i++)
		r = add_port(rules, nexthop->relays.entries[i].port);
	return r;
}

static int
add_entry(struct rules *rules, unsigned line, enum side side, const char *key,
    const struct nexthop *nexthop)
{
	struct entry *larger;
	int r;

	if (rules->count == rules->room) {
		size_t room = rules->room > 0 ? 2 * rules->room : 64;

		larger = reallocarray(rules->entries, room, sizeof(*larger));
		if (larger == NULL)
			return -ENOMEM;
		rules->entries = larger;
		rules->room = room;
	}
	if ((r = add_ports(rules, nexthop)) < 0 ||
	    (r = fill_entry(&rules->entries[rules->count], line, side, key,
		 nexthop)) < 0)
		return r;
	rules->entries[rules->count].number = rules->count;
	rules->count++;
	return 0;
}

int
rules_open(const char *relayhost, struct rules **ret_rules,
    char ret_error[NEXTHOP_ERROR_SIZE])
{
	struct rules *rules = calloc(1, sizeof(*rules));
	struct nexthop nexthop;

	(void)strlcpy(ret_error, "no memory", NEXTHOP_ERROR_SIZE);
	if (rules == NULL)
		return -EINVAL;
	if (nexthop_parse(relayhost != NULL ? relayhost : "mx", &nexthop,
		ret_error) < 0 ||
	    add_ports(rules, &nexthop) < 0 ||
	    fill_entry(&rules->last, 0, SIDE_ALL, "", &nexthop) < 0) {
		rules_close(rules);
		return -EINVAL;
	}
	*ret_rules = rules;
	return 0;
}

void
rules_close(struct rules *rules)
{
	if (rules == NULL)
		return;
	for (size_t i = 0; i < rules->count; i++)
		free_entry(&rules->entries[i]);
	free_entry(&rules->last);
	free(rules->entries);
	free(rules->ports);
	free(rules);
}

/* ---- the file ---- */

/* Take a line of the file, without its LF. */
static void
take_line(struct reading *reading, char *line)
{
	struct rules *rules = reading->rules;
	char key[KEY_SIZE];
	enum side side;
	struct nexthop nexthop;

	line += strspn(line, BLANKS);
	if (*line == '\0' || *line == '#')
		return;
	if (!parse_who(reading, &line, &side, key) ||
	    !parse_way(reading, &line, &nexthop))
		return;
	if (rules->count == RULES_MAX)
		tell(reading, true, "one more rule; expected %d at the most",
		    RULES_MAX);
	else if (add_entry(rules, reading->line, side, key, &nexthop) < 0)
		tell(reading, true, "no memory for this rule");
}

/* Read a line. Returns false at the end of the file. */
static bool
read_line(struct reading *reading, FILE *file,
    char ret_line[RULES_LINE_MAX + 1])
{
	size_t length = 0;
	bool is_odd = false;
	int c = getc(file);

	if (c == EOF)
		return false;
	reading->line++;
	for (; c != EOF && c != '\n'; c = getc(file)) {
		is_odd = is_odd || (iscntrl(c) && strchr(BLANKS, c) == NULL) ||
		    c == '\0';
		if (length < RULES_LINE_MAX)
			ret_line[length] = (char)c;
		length++;
	}
	if (length <= RULES_LINE_MAX && !is_odd) {
		ret_line[length] = '\0';
		return true;
	}
	*ret_line = '\0';
	if (is_odd)
		tell(reading, true,
		    "a control character; expected text and blanks");
	else
		tell(reading, true, "%zu octets; expected %d at the most",
		    length, RULES_LINE_MAX);
	return true;
}

/* Return the first rule that matches everything that an entry matches. */
static const struct entry *
find_shadow(const struct rules *rules, const struct entry *entry)
{
	const struct entry *first =
	    find_before(rules, SIDE_ALL, "", &rules->last);

	return entry->side == SIDE_ALL
	    ? first
	    : find_first(rules, entry->side, entry->key, first);
}

/* Report rules that can never match, in the order of the file. */
static void
tell_shadowed(struct reading *reading)
{
	const struct rules *rules = reading->rules;
	size_t *order = reallocarray(NULL, rules->count + 1, sizeof(*order));

	if (order == NULL)
		return; /* these are only warnings */
	for (size_t i = 0; i < rules->count; i++)
		order[rules->entries[i].number] = i;
	for (size_t i = 0; i < rules->count; i++) {
		const struct entry *entry = &rules->entries[order[i]];
		const struct entry *shadow = find_shadow(rules, entry);

		reading->line = entry->rule.line;
		if (shadow != entry)
			tell(reading, false,
			    "\"%s\" can never match: line %u, \"%s\", comes "
			    "first",
			    entry->rule.who, shadow->rule.line,
			    shadow->rule.who);
	}
	free(order);
}

int
rules_read(struct rules *rules, FILE *file, rules_see *see, void *context)
{
	struct reading reading = {
		.rules = rules,
		.see = see,
		.context = context,
	};
	char line[RULES_LINE_MAX + 1];

	while (read_line(&reading, file, line))
		take_line(&reading, line);
	reading.line = 0;
	if (ferror(file))
		tell(&reading, true, "it cannot be read: %s", strerror(errno));
	if (rules->count > 0)
		qsort(rules->entries, rules->count, sizeof(*rules->entries),
		    compare_entries);
	tell_shadowed(&reading);
	return reading.has_mistake ? -EINVAL : 0;
}

size_t
rules_count(const struct rules *rules)
{
	return rules->count;
}

/* ---- use ---- */

const struct rule *
rules_find(const struct rules *rules, const char *sender, const char *recipient)
{
	const struct entry *first =
	    find_before(rules, SIDE_ALL, "", &rules->last);
	char key[KEY_SIZE];

	if (rules->count == 0)
		return &rules->last.rule;
	make_key(recipient, key);
	first = find_first(rules, SIDE_TO, key, first);
	if (sender == NULL)
		return &first->rule;
	make_key(*sender != '\0' ? sender : NULL_SENDER, key);
	return &find_first(rules, SIDE_FROM, key, first)->rule;
}

void
rules_name_destination(const struct rule *rule, const char *recipient,
    char ret_name[NEXTHOP_SIZE])
{
	size_t length = strlen(DIRECT);
	const char *level = rule->nexthop + length;

	/* The name of a relay may begin like that. */
	if (strncmp(rule->nexthop, DIRECT, length) == 0 &&
	    (*level == '\0' || *level == ' '))
		(void)snprintf(ret_name, NEXTHOP_SIZE, "%s%s",
		    address_domain(recipient), level);
	else
		(void)strlcpy(ret_name, rule->nexthop, NEXTHOP_SIZE);
}

const uint16_t *
rules_ports(const struct rules *rules, size_t *ret_count)
{
	*ret_count = rules->port_count;
	return rules->ports;
}
