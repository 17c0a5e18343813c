/* SPDX-License-Identifier: ISC */

/*
 * https.c - fetch a document by HTTPS, with libcurl.
 *
 * A module, smtp-https.so: loading libcurl and its libraries takes longer than
 * most runs of smtp-deliver last, and few of them need it.
 */

#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "lib/tlspeer.h"
#include "smtp-deliver/policy/https.h"

#define STATUS_OK 200

struct sink {
	CURL *curl;
	const char *host;
	bool is_checked; /* the TLS session */
	char error[TLS_TEXT_SIZE]; /* "": there is nothing wrong with it */
	char *buffer;
	size_t size;
	size_t length;
};

/* Whether the TLS session is as good as one that carries mail. */
static bool
is_good_session(struct sink *sink)
{
	struct curl_tlssessioninfo *info = NULL;

	if (curl_easy_getinfo(sink->curl, CURLINFO_TLS_SSL_PTR, &info) !=
		CURLE_OK ||
	    info == NULL || info->backend != CURLSSLBACKEND_GNUTLS ||
	    info->internals == NULL) {
		(void)strlcpy(sink->error,
		    "libcurl has TLS from elsewhere than "
		    "GnuTLS, which cannot be checked",
		    sizeof(sink->error));
		return false;
	}
	return tlspeer_check_strength(info->internals, sink->error) == 0 &&
	    tlspeer_verify_name(info->internals, sink->host, true,
		sink->error) == 0;
}

/* Before the first line of the response counts, check whom it comes from. A
 * session that is not good enough ends the transfer. */
static size_t
take_header(char *data, size_t unit, size_t count, void *context)
{
	struct sink *sink = context;

	(void)data;
	if (!sink->is_checked && !is_good_session(sink))
		return 0;
	sink->is_checked = true;
	return unit * count;
}

/* Too long a document ends the transfer. */
static size_t
take(char *data, size_t unit, size_t count, void *context)
{
	struct sink *sink = context;
	size_t length = unit * count;

	if (!sink->is_checked || length > sink->size - sink->length)
		return 0;
	memcpy(sink->buffer + sink->length, data, length);
	sink->length += length;
	return length;
}

static void
set_up(CURL *curl, const struct https_request *request,
    struct curl_slist *addresses, struct sink *sink, char *error)
{
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	(void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_SSLVERSION,
	    (long)CURL_SSLVERSION_TLSv1_2);
	(void)curl_easy_setopt(curl, CURLOPT_HTTP_VERSION,
	    (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
	    (long)request->timeout_ms);
	(void)curl_easy_setopt(curl, CURLOPT_RESOLVE, addresses);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	(void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, sink);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, sink);
	if (request->ca_file != NULL)
		(void)curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca_file);
	(void)curl_easy_setopt(curl, CURLOPT_URL, request->url);
}

/* Whether the response is the requested document; if not, error says why. */
static bool
is_document(CURL *curl, const char *media_type, char *error)
{
	size_t length = strlen(media_type);
	char *type = NULL;
	long status = 0;

	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
	if (status != STATUS_OK) {
		(void)snprintf(error, CURL_ERROR_SIZE,
		    "the response has HTTP status %ld", status);
		return false;
	}
	if (type == NULL || strncasecmp(type, media_type, length) != 0 ||
	    (type[length] != '\0' && strchr("; \t", type[length]) == NULL)) {
		(void)snprintf(error, CURL_ERROR_SIZE,
		    "the response is not of type %s", media_type);
		return false;
	}
	return true;
}

static int
get(const struct https_request *request, char *buffer, size_t size,
    size_t *ret_length, char *ret_error, size_t error_size)
{
	struct curl_slist *addresses = NULL;
	struct sink sink = {
		.host = request->host,
		.buffer = buffer,
		.size = size,
	};
	char error[CURL_ERROR_SIZE] = "";
	CURLcode code = CURLE_FAILED_INIT;
	bool is_good = false;
	CURL *curl;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK &&
	    (curl = curl_easy_init()) != NULL) {
		sink.curl = curl;
		addresses = curl_slist_append(NULL, request->address);
		set_up(curl, request, addresses, &sink, error);
		code = curl_easy_perform(curl);
		is_good = code == CURLE_OK &&
		    is_document(curl, request->media_type, error);
		curl_easy_cleanup(curl);
		curl_slist_free_all(addresses);
	}
	if (is_good) {
		*ret_length = sink.length;
		return 0;
	}
	if (*sink.error != '\0')
		(void)strlcpy(ret_error, sink.error, error_size);
	else
		(void)strlcpy(ret_error,
		    *error != '\0' ? error : curl_easy_strerror(code),
		    error_size);
	return -EPROTO;
}

__attribute__((visibility("default")))
const struct https_functions https_functions = {
	.version = PACKAGE_VERSION,
	.get = get,
};
