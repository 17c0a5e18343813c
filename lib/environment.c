/* SPDX-License-Identifier: ISC */

/*
 * environment.c - the units' environment, for programs that are run by hand.
 *
 * The parser is that of systemd's EnvironmentFile=, character by character, so
 * that what is checked by hand is what the units get. smtpserver-generator has
 * the same in shell; t/systemd.bats compares the three.
 */

#include "config.h"

#include <sys/stat.h>

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/environment.h"
#include "lib/utf8.h"

#define PREFIX "SMTP_"
#define FILE_MAX 1048576 /* octets of the file, with a NUL */
#define BLANKS " \t\n\r"
#define NEWLINES "\n\r"
#define INSTALLED_SPOOL LOCALSTATEDIR "/spool/smtpserver"
#define CREDENTIALS "/etc/credstore" /* from where the units load them */

/*
 *	BEFORE_NAME -> NAME -> BEFORE_VALUE -> VALUE
 *	BEFORE_VALUE -> SINGLE, DOUBLE -> BEFORE_VALUE
 *	each _ESCAPED state takes one character, after a backslash
 *	a newline outside of quotes ends the assignment
 */
enum state {
	BEFORE_NAME,
	NAME,
	BEFORE_VALUE,
	VALUE,
	VALUE_ESCAPED,
	SINGLE,
	DOUBLE,
	DOUBLE_ESCAPED,
	COMMENT,
	COMMENT_ESCAPED,
};

struct text {
	char *data; /* room for the whole file */
	size_t length;
	size_t kept; /* without the blanks at its end */
};

struct parser {
	enum state state;
	struct text name;
	struct text value;
	environment_see *see;
	void *context;
};

/* ---- texts --------------------------------------------------------------- */

/* Keep what a text has, also a blank at its end. */
static void
text_keep(struct text *text)
{
	text->kept = text->length;
}

static void
text_add(struct text *text, char c)
{
	text->data[text->length++] = c;
	if (strchr(BLANKS, c) == NULL)
		text_keep(text);
}

static void
text_add_kept(struct text *text, char c)
{
	text_add(text, c);
	text_keep(text);
}

/* Return the text, and begin another one. */
static const char *
text_take(struct text *text)
{
	text->data[text->kept] = '\0';
	text->length = text->kept = 0;
	return text->data;
}

/* ---- the parser ---------------------------------------------------------- */

static bool
is_name(const char *text)
{
	if (*text == '\0' || isdigit((unsigned char)*text))
		return false;
	for (; *text != '\0'; text++)
		if (!isalnum((unsigned char)*text) && *text != '_')
			return false;
	return true;
}

static bool
is_value(const char *text)
{
	for (; *text != '\0'; text++)
		if (iscntrl((unsigned char)*text) && *text != '\t' &&
		    *text != '\n')
			return false;
	return true;
}

static void
end_assignment(struct parser *parser)
{
	const char *name = text_take(&parser->name);
	const char *value = text_take(&parser->value);

	if (is_name(name) && is_value(value))
		parser->see(parser->context, name, value);
	parser->state = BEFORE_NAME;
}

static void
parse_before_name(struct parser *parser, char c)
{
	if (c == '#' || c == ';') {
		parser->state = COMMENT;
	} else if (strchr(BLANKS, c) == NULL) {
		parser->state = NAME;
		text_add(&parser->name, c);
	}
}

static void
parse_name(struct parser *parser, char c)
{
	if (c == '=') {
		parser->state = BEFORE_VALUE;
	} else if (strchr(NEWLINES, c) != NULL) {
		(void)text_take(&parser->name);
		parser->state = BEFORE_NAME;
	} else {
		text_add(&parser->name, c);
	}
}

/* Quotes count at the beginning of a value and after other quotes only. */
static void
parse_unquoted(struct parser *parser, char c)
{
	bool is_first = parser->state == BEFORE_VALUE;

	if (strchr(NEWLINES, c) != NULL) {
		end_assignment(parser);
	} else if (c == '\\') {
		text_keep(&parser->value);
		parser->state = VALUE_ESCAPED;
	} else if (is_first && c == '\'') {
		parser->state = SINGLE;
	} else if (is_first && c == '"') {
		parser->state = DOUBLE;
	} else if (!is_first || strchr(BLANKS, c) == NULL) {
		parser->state = VALUE;
		text_add(&parser->value, c);
	}
}

static void
parse_quoted(struct parser *parser, char c)
{
	char quote = parser->state == SINGLE ? '\'' : '"';

	if (c == quote)
		parser->state = BEFORE_VALUE;
	else if (c == '\\' && parser->state == DOUBLE)
		parser->state = DOUBLE_ESCAPED;
	else
		text_add_kept(&parser->value, c);
}

static void
parse_escaped(struct parser *parser, char c)
{
	if (parser->state == VALUE_ESCAPED) {
		parser->state = VALUE;
		if (strchr(NEWLINES, c) == NULL)
			text_add_kept(&parser->value, c);
		return;
	}
	parser->state = DOUBLE;
	if (c == '\n')
		return;
	if (strchr("\"\\`$", c) == NULL)
		text_add_kept(&parser->value, '\\');
	text_add_kept(&parser->value, c);
}

static void
parse_comment(struct parser *parser, char c)
{
	if (parser->state == COMMENT_ESCAPED)
		parser->state = COMMENT;
	else if (c == '\\')
		parser->state = COMMENT_ESCAPED;
	else if (strchr(NEWLINES, c) != NULL)
		parser->state = BEFORE_NAME;
}

static void
parse(struct parser *parser, char c)
{
	switch (parser->state) {
	case BEFORE_NAME:
		parse_before_name(parser, c);
		break;
	case NAME:
		parse_name(parser, c);
		break;
	case BEFORE_VALUE:
	case VALUE:
		parse_unquoted(parser, c);
		break;
	case SINGLE:
	case DOUBLE:
		parse_quoted(parser, c);
		break;
	case VALUE_ESCAPED:
	case DOUBLE_ESCAPED:
		parse_escaped(parser, c);
		break;
	case COMMENT:
	case COMMENT_ESCAPED:
		parse_comment(parser, c);
		break;
	}
}

static bool
is_utf8(const char *text)
{
	while (*text != '\0') {
		size_t length =
		    (unsigned char)*text < 0x80 ? 1 : utf8_length(text);

		if (length == 0)
			return false;
		text += length;
	}
	return true;
}

int
environment_parse(const char *text, environment_see *see, void *context)
{
	size_t size = strlen(text) + 1;
	struct parser parser = { .state = BEFORE_NAME,
		.name.data = malloc(size),
		.value.data = malloc(size),
		.see = see,
		.context = context };
	int r = 0;

	if (parser.name.data == NULL || parser.value.data == NULL)
		r = -ENOMEM;
	else if (!is_utf8(text))
		r = -EBADMSG;
	for (; r == 0 && *text != '\0'; text++)
		parse(&parser, *text);
	/* The last line may lack its end, or a value its last quote. */
	if (r == 0 && parser.state >= BEFORE_VALUE && parser.state < COMMENT)
		end_assignment(&parser);
	free(parser.value.data);
	free(parser.name.data);
	return r;
}

/* ---- the units' environment ---------------------------------------------- */

struct assignment {
	char *name, *value;
};

struct assignments {
	struct assignment *list;
	size_t count;
	bool is_incomplete; /* out of memory */
};

static void
note(void *context, const char *name, const char *value)
{
	struct assignments *all = context;
	struct assignment *larger, *last;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return;
	larger = reallocarray(all->list, all->count + 1, sizeof(*all->list));
	if (larger == NULL) {
		all->is_incomplete = true;
		return;
	}
	all->list = larger;
	last = &all->list[all->count++];
	last->name = strdup(name);
	last->value = strdup(value);
	if (last->name == NULL || last->value == NULL)
		all->is_incomplete = true;
}

/* From the last one on, without overwriting: the last assignment of a name
 * counts, and what the caller has set stays. */
static int
apply(struct assignments *all)
{
	int r = all->is_incomplete ? -ENOMEM : 0;

	while (all->count > 0) {
		struct assignment *last = &all->list[--all->count];

		if (r == 0 && setenv(last->name, last->value, 0) == -1)
			r = -errno;
		free(last->name);
		free(last->value);
	}
	free(all->list);
	return r;
}

static int
read_text(FILE *file, char ret_text[FILE_MAX])
{
	size_t length = fread(ret_text, 1, FILE_MAX - 1, file);

	ret_text[length] = '\0';
	if (ferror(file))
		return -EIO;
	if (!feof(file))
		return -EFBIG;
	return strlen(ret_text) == length ? 0 : -EBADMSG;
}

static int
load(FILE *file)
{
	struct assignments all = { .list = NULL };
	char *text = malloc(FILE_MAX);
	int r, applied;

	if (text == NULL)
		return -ENOMEM;
	if ((r = read_text(file, text)) == 0)
		r = environment_parse(text, note, &all);
	applied = apply(&all);
	free(text);
	return r < 0 ? r : applied;
}

static int
load_file(void)
{
	FILE *file = fopen(environment_path(), "re");
	int r;

	if (file == NULL)
		return errno == ENOENT ? 0 : -errno;
	r = load(file);
	(void)fclose(file);
	return r;
}

const char *
environment_path(void)
{
	return SYSCONFDIR "/smtpserver/environment";
}

/* Whether this program was started from the folder of the installation. */
static bool
is_installed(void)
{
	char path[PATH_MAX] = "", *slash;
	struct stat here, installed;

	(void)!readlink("/proc/self/exe", path, sizeof(path) - 1);
	if ((slash = strrchr(path, '/')) == NULL)
		return false;
	*slash = '\0';
	return stat(path, &here) == 0 && stat(SBINDIR, &installed) == 0 &&
	    here.st_dev == installed.st_dev && here.st_ino == installed.st_ino;
}

static bool
has_queue_path(void)
{
	const char *path = getenv("SMTP_QUEUE_PATH");

	return path != NULL && *path != '\0';
}

/* An empty variable has its default. */
static int
default_queue_path(void)
{
	if (!has_queue_path() &&
	    setenv("SMTP_QUEUE_PATH", INSTALLED_SPOOL, 1) == -1)
		return -errno;
	return 0;
}

int
environment_load(enum environment_origin *ret_origin)
{
	int r, defaulted;

	*ret_origin = ENVIRONMENT_CALLER;
	if (has_queue_path() || !is_installed())
		return 0;
	if (getenv("SMTP_QUEUE_PATH") != NULL)
		return default_queue_path();
	*ret_origin = ENVIRONMENT_UNITS;
	r = load_file();
	defaulted = default_queue_path();
	if (r == 0)
		r = defaulted;
	if (setenv("CREDENTIALS_DIRECTORY", CREDENTIALS, 0) == -1 && r == 0)
		r = -errno;
	return r;
}
