/* SPDX-License-Identifier: ISC */

/*
 * base64.c - the examples of RFC 4648 section 10, in both directions; invalid
 * base64 is refused.
 */

#include "config.h"

#include <errno.h>

#include "lib/base64.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
	const char *data, *text;
} rows[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
	{ "\xff\xfe\xfb", "//77" },
};

static const char *const errors[] = { "Z", "Zg",
	"Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm8=Zm9v", "Zm 9",
	"Zm9v\n", "Zm9v\r\n\r\n", "Zm-_", "=Zm9", "Zm=v" };

int
main(void)
{
	char text[64], data[64];

	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t length = strlen(rows[i].data);
		ssize_t n;

		base64_encode(rows[i].data, length, text);
		is_str(text, rows[i].text, "\"%s\" is encoded", rows[i].data);
		is_int((int64_t)strlen(text), (int64_t)BASE64_SIZE(length) - 1,
		    "as long as BASE64_SIZE() says");
		n = base64_decode(text, data, length);
		is_mem(data, (size_t)(n > 0 ? n : 0), rows[i].data, length,
		    "and decoded");
		if (length > 0)
			is_int(base64_decode(text, data, length - 1), -EBADMSG,
			    "but not into a buffer that is too small");
	}
	for (size_t i = 0; i < COUNT(errors); i++)
		is_int(base64_decode(errors[i], data, sizeof(data)), -EBADMSG,
		    "\"%s\" is refused", errors[i]);
	return done_testing();
}
