/* SPDX-License-Identifier: ISC */

/*
 * tls.c - TLS under a stream (RFC 3207, RFC 9325).
 *
 * A transport on the stream's descriptors: GnuTLS reads octets through pull()
 * and writes them through push(), with the deadline of the current call.
 *
 * Linked into smtp-deliver, and into a module that smtp-session loads where TLS
 * is configured (tlsmodule.c).
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "lib/clock.h"
#include "lib/ip.h"
#include "lib/tls.h"
#include "lib/tlsdane.h"
#include "lib/tlshello.h"
#include "lib/tlspeer.h"

#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
/* Towards servers that are verified (RFC 9325): no RSA key transport, no CBC
 * with SHA-1, keys of 2048 bits or as strong. */
#define STRICT_PRIORITIES PRIORITIES ":-RSA:-SHA1:%PROFILE_MEDIUM"
#define GOODBYE_MS 1000
#define DIGEST_SIZE 32 /* SHA-256 */
#define LOG_OF_EXTENSIONS "EXT[" /* how such a line of GnuTLS's log begins */
#define LOG_LEVEL 4 /* that of its handshakes */
#define MEMORY_MS 3600000

struct tls_identity {
	gnutls_certificate_credentials_t credentials;
};

struct tls_memory {
	unsigned char policy[DIGEST_SIZE]; /* of the verified session */
	int64_t until_mono_ms;
	gnutls_datum_t session; /* no data: no session */
	char fingerprint[TLS_FINGERPRINT_SIZE];
};

struct tls {
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	struct stream *stream;
	int64_t deadline_mono_ms;
	int error; /* a negative errno of the descriptors, or 0 */
	const struct tls_policy *policy; /* during a client's handshake */
	char mismatch[TLS_TEXT_SIZE];
	struct tls_memory *memory; /* a client's, or NULL */
	struct tls_memory learned; /* becomes *memory, but for the session */
};

static ssize_t
pull(gnutls_transport_ptr_t pointer, void *buffer, size_t size_bytes)
{
	struct tls *tls = pointer;
	ssize_t n = stream_receive_plain(tls->stream, buffer, size_bytes,
	    tls->deadline_mono_ms);

	if (n >= 0)
		return n;
	tls->error = (int)n;
	/* Output still works after a deadline: GnuTLS must not see an end. */
	gnutls_transport_set_errno(tls->session,
	    n == -ETIMEDOUT ? EAGAIN : (int)-n);
	return n == -ECONNRESET ? 0 : -1;
}

static ssize_t
push(gnutls_transport_ptr_t pointer, const void *data, size_t size_bytes)
{
	struct tls *tls = pointer;
	int r = stream_send_plain(tls->stream, data, size_bytes,
	    tls->deadline_mono_ms);

	if (r == 0)
		return (ssize_t)size_bytes;
	tls->error = r;
	gnutls_transport_set_errno(tls->session, -r);
	return -1;
}

/* Convert a result of GnuTLS to a negative errno; an error of the descriptors
 * takes precedence. */
static int
to_errno(const struct tls *tls, ssize_t code)
{
	if (tls->error != 0)
		return tls->error;
	if (code == 0 || code == GNUTLS_E_PREMATURE_TERMINATION)
		return -ECONNRESET;
	return code == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EPROTO;
}

static bool
is_to_be_repeated(ssize_t code)
{
	return code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED ||
	    (code < 0 && !gnutls_error_is_fatal((int)code));
}

/* A peer asks for a new handshake in TLS 1.2: tell it that there is none (RFC
 * 5246 section 7.2.2), it may go on. */
static ssize_t
refuse_renegotiation(struct tls *tls)
{
	return gnutls_alert_send(tls->session, GNUTLS_AL_WARNING,
	    GNUTLS_A_NO_RENEGOTIATION);
}

static ssize_t
tls_receive(void *context, void *buffer, size_t size_bytes,
    int64_t deadline_mono_ms)
{
	struct tls *tls = context;
	ssize_t n;

	tls->deadline_mono_ms = deadline_mono_ms;
	do {
		n = gnutls_record_recv(tls->session, buffer, size_bytes);
		if (n == GNUTLS_E_REHANDSHAKE && refuse_renegotiation(tls) < 0)
			break;
	} while (is_to_be_repeated(n) && tls->error == 0);
	return n > 0 ? n : to_errno(tls, n);
}

static int
tls_send(void *context, const void *data, size_t size_bytes,
    int64_t deadline_mono_ms)
{
	struct tls *tls = context;
	const char *p = data;

	tls->deadline_mono_ms = deadline_mono_ms;
	if (tls->error == -ETIMEDOUT)
		tls->error = 0;
	while (size_bytes > 0) {
		ssize_t n = gnutls_record_send(tls->session, p, size_bytes);

		if (is_to_be_repeated(n) && tls->error == 0)
			continue;
		if (n < 0)
			return to_errno(tls, n);
		p += n;
		size_bytes -= (size_t)n;
	}
	return 0;
}

static void
tls_free(struct tls *tls)
{
	if (tls->session != NULL)
		gnutls_deinit(tls->session);
	if (tls->credentials != NULL)
		gnutls_certificate_free_credentials(tls->credentials);
	free(tls);
}

/* ---- sessions that clients resume ---- */

struct tls_memory *
tls_memory_new(void)
{
	return calloc(1, sizeof(struct tls_memory));
}

static void
forget(struct tls_memory *memory)
{
	if (memory->session.data == NULL)
		return;
	gnutls_memset(memory->session.data, 0, memory->session.size);
	gnutls_free(memory->session.data);
	memory->session = (gnutls_datum_t){ .data = NULL };
}

void
tls_memory_free(struct tls_memory *memory)
{
	if (memory == NULL)
		return;
	forget(memory);
	free(memory);
}

/* Add octets to a digest with their length before them, so that they cannot be
 * mistaken for what comes before or after them. */
static void
add_octets(gnutls_hash_hd_t hash, const void *octets, size_t size_bytes)
{
	uint64_t length = size_bytes;

	(void)gnutls_hash(hash, &length, sizeof(length));
	(void)gnutls_hash(hash, octets, size_bytes);
}

static void
add_text(gnutls_hash_hd_t hash, const char *text)
{
	add_octets(hash, text, text != NULL ? strlen(text) + 1 : 0);
}

/* Make a digest of all of a policy. Return whether that succeeded. */
static bool
digest_policy(const struct tls_policy *policy,
    unsigned char ret_digest[DIGEST_SIZE])
{
	gnutls_hash_hd_t hash;

	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0)
		return false;
	add_octets(hash, &policy->check, sizeof(policy->check));
	add_text(hash, policy->host);
	add_octets(hash, &policy->is_san_required,
	    sizeof(policy->is_san_required));
	add_text(hash, policy->ca_file);
	for (size_t i = 0; i < TLS_NAMES_MAX; i++)
		add_text(hash, policy->names[i]);
	for (size_t i = 0; i < policy->fingerprint_count; i++)
		add_text(hash, policy->fingerprints[i]);
	for (size_t i = 0; i < policy->record_count; i++) {
		const struct tls_tlsa *record = &policy->records[i];

		add_octets(hash, &record->usage, sizeof(record->usage));
		add_octets(hash, &record->selector, sizeof(record->selector));
		add_octets(hash, &record->matching, sizeof(record->matching));
		add_octets(hash, record->data, record->size_bytes);
	}
	gnutls_hash_deinit(hash, ret_digest);
	return true;
}

/* Offer the remembered session to the server, if it was verified under the
 * policy that holds now. */
static void
recall(struct tls *tls, struct tls_memory *memory)
{
	if (memory == NULL || !digest_policy(tls->policy, tls->learned.policy))
		return;
	tls->memory = memory;
	if (memory->session.data != NULL &&
	    memory->until_mono_ms > clock_mono_ms() &&
	    memcmp(memory->policy, tls->learned.policy, DIGEST_SIZE) == 0)
		(void)gnutls_session_set_data(tls->session,
		    memory->session.data, memory->session.size);
}

/* Whether the session can be resumed. TLS 1.3 needs a ticket, which comes some
 * time after the handshake and is not waited for. */
static bool
can_be_resumed(const struct tls *tls)
{
	return gnutls_protocol_get_version(tls->session) != GNUTLS_TLS1_3 ||
	    (gnutls_session_get_flags(tls->session) &
		GNUTLS_SFLAGS_SESSION_TICKET) != 0;
}

/* Remember the session, which ends now. */
static void
remember(struct tls *tls)
{
	struct tls_memory *memory = tls->memory;

	if (memory == NULL || !can_be_resumed(tls))
		return;
	forget(memory);
	*memory = tls->learned;
	if (gnutls_session_get_data2(tls->session, &memory->session) < 0)
		memory->session = (gnutls_datum_t){ .data = NULL };
}

static void
tls_close(void *context)
{
	struct tls *tls = context;

	remember(tls);
	if (tls->error == 0) {
		tls->deadline_mono_ms = clock_mono_ms() + GOODBYE_MS;
		(void)gnutls_bye(tls->session, GNUTLS_SHUT_WR);
	}
	tls_free(tls);
}

static const struct transport tls_transport = {
	.receive = tls_receive,
	.send = tls_send,
	.close = tls_close,
};

/* Make a session of either side. It takes over the credentials, also if it
 * fails. */
static int
make_session(struct stream *stream, unsigned side, const char *priorities,
    gnutls_certificate_credentials_t credentials, int64_t deadline_mono_ms,
    struct tls **ret_tls)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (tls == NULL) {
		gnutls_certificate_free_credentials(credentials);
		return -ENOMEM;
	}
	tls->stream = stream;
	tls->credentials = credentials;
	tls->deadline_mono_ms = deadline_mono_ms;
	if (gnutls_init(&tls->session, side) < 0 ||
	    gnutls_priority_set_direct(tls->session, priorities, NULL) < 0 ||
	    gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE,
		tls->credentials) < 0) {
		tls_free(tls);
		return -ENOMEM;
	}
	gnutls_transport_set_ptr(tls->session, tls);
	gnutls_transport_set_pull_function(tls->session, pull);
	gnutls_transport_set_push_function(tls->session, push);
	gnutls_handshake_set_timeout(tls->session, GNUTLS_INDEFINITE_TIMEOUT);
	*ret_tls = tls;
	return 0;
}

static int
explain_failure(const struct tls *tls, int code, struct tls_result *ret_result)
{
	const char *alert = NULL;

	if (code == GNUTLS_E_CERTIFICATE_ERROR && *tls->mismatch != '\0') {
		(void)strlcpy(ret_result->error, tls->mismatch,
		    sizeof(ret_result->error));
		return -EKEYREJECTED;
	}
	if (code == GNUTLS_E_FATAL_ALERT_RECEIVED)
		alert = gnutls_alert_get_name(gnutls_alert_get(tls->session));
	(void)snprintf(ret_result->error, sizeof(ret_result->error), "%s%s%s",
	    tls->error != 0 ? strerror(-tls->error) : gnutls_strerror(code),
	    alert != NULL ? ": " : "", alert != NULL ? alert : "");
	return to_errno(tls, code);
}

/* Get the fingerprint of the server's certificate, which identifies it for
 * people; unchanged if there is none. */
static void
get_fingerprint(gnutls_session_t session,
    char ret_fingerprint[TLS_FINGERPRINT_SIZE])
{
	unsigned char digest[(TLS_FINGERPRINT_SIZE - 1) / 2];
	unsigned count = 0;
	const gnutls_datum_t *shown =
	    gnutls_certificate_get_peers(session, &count);

	if (shown == NULL || count == 0 ||
	    gnutls_hash_fast(GNUTLS_DIG_SHA256, shown->data, shown->size,
		digest) < 0)
		return;
	for (size_t i = 0; i < sizeof(digest); i++)
		(void)snprintf(ret_fingerprint + i * 2, 3, "%02x", digest[i]);
}

/* Note facts about the session. A resumed session shows no certificate: it has
 * the fingerprint of the first one, and expires with it. */
static void
learn(struct tls *tls, struct tls_result *ret_result)
{
	ret_result->is_resumed = gnutls_session_is_resumed(tls->session) != 0;
	tls->learned.until_mono_ms = clock_mono_ms() + MEMORY_MS;
	if (ret_result->is_resumed) {
		tls->learned.until_mono_ms = tls->memory->until_mono_ms;
		(void)strlcpy(ret_result->fingerprint, tls->memory->fingerprint,
		    sizeof(ret_result->fingerprint));
	}
	(void)strlcpy(tls->learned.fingerprint, ret_result->fingerprint,
	    sizeof(tls->learned.fingerprint));
}

static int
shake_hands(struct tls *tls, struct tls_result *ret_result)
{
	int code;

	do
		code = gnutls_handshake(tls->session);
	while (is_to_be_repeated(code) && tls->error == 0);
	get_fingerprint(tls->session, ret_result->fingerprint);
	if (code < 0) {
		int r = explain_failure(tls, code, ret_result);

		if (tls->error == 0)
			(void)gnutls_alert_send_appropriate(tls->session, code);
		return r;
	}
	(void)strlcpy(ret_result->protocol,
	    gnutls_protocol_get_name(gnutls_protocol_get_version(tls->session)),
	    sizeof(ret_result->protocol));
	(void)strlcpy(ret_result->cipher, gnutls_ciphersuite_get(tls->session),
	    sizeof(ret_result->cipher));
	learn(tls, ret_result);
	return 0;
}

/* Do the handshake. On success the session becomes the stream's transport, else
 * it is freed. */
static int
start(struct tls *tls, struct tls_result *ret_result)
{
	int r = shake_hands(tls, ret_result);

	if (r < 0)
		tls_free(tls);
	else
		stream_start_transport(tls->stream, &tls_transport, tls);
	return r;
}

int
tls_identity_load(const char *cert_file, const char *key_file,
    struct tls_identity **ret_identity, struct tls_result *ret_result)
{
	gnutls_certificate_credentials_t credentials;
	struct tls_identity *identity;
	int code;

	*ret_result = (struct tls_result){ .error = "out of memory" };
	if ((identity = malloc(sizeof(*identity))) == NULL)
		return -ENOKEY;
	if (gnutls_certificate_allocate_credentials(&credentials) < 0) {
		free(identity);
		return -ENOKEY;
	}
	identity->credentials = credentials;
	code = gnutls_certificate_set_x509_key_file(credentials, cert_file,
	    key_file, GNUTLS_X509_FMT_PEM);
	if (code < 0) {
		(void)snprintf(ret_result->error, sizeof(ret_result->error),
		    "%s and %s cannot be used: %s", cert_file, key_file,
		    gnutls_strerror(code));
		tls_identity_free(identity);
		return -ENOKEY;
	}
	*ret_identity = identity;
	return 0;
}

void
tls_identity_free(struct tls_identity *identity)
{
	if (identity == NULL)
		return;
	gnutls_certificate_free_credentials(identity->credentials);
	free(identity);
}

/*
 * Names for the server that GnuTLS does not take end the handshake, and there
 * is no setting for it. They are changed between the two times that it reads a
 * client's hello: for the digest, after the hook, and for the extensions. What
 * it calls in between is the function for its log, which has no context. All
 * this is only for a hello that would be refused otherwise.
 */
static gnutls_datum_t odd_hello; /* no data: there is none */

static void
tame_names(int level, const char *text)
{
	(void)level;
	if (odd_hello.data == NULL ||
	    strncmp(text, LOG_OF_EXTENSIONS, strlen(LOG_OF_EXTENSIONS)) != 0)
		return;
	tlshello_tame_names(odd_hello.data, odd_hello.size);
	odd_hello.data = NULL;
	gnutls_global_set_log_level(0);
}

static int
look_at_hello(gnutls_session_t session, unsigned type, unsigned when,
    unsigned is_incoming, const gnutls_datum_t *message)
{
	(void)session;
	(void)type;
	(void)when;
	(void)is_incoming;
	if (!tlshello_has_odd_names(message->data, message->size))
		return 0;
	odd_hello = *message;
	gnutls_global_set_log_function(tame_names);
	gnutls_global_set_log_level(LOG_LEVEL);
	return 0;
}

int
tls_accept(struct stream *stream, struct tls_identity *identity,
    int64_t deadline_mono_ms, struct tls_result *ret_result)
{
	struct tls *tls;
	int r;

	*ret_result = (struct tls_result){ .error = "out of memory" };
	r = make_session(stream, GNUTLS_SERVER, PRIORITIES,
	    identity->credentials, deadline_mono_ms, &tls);
	free(identity);
	if (r < 0)
		return r;
	gnutls_handshake_set_hook_function(tls->session,
	    GNUTLS_HANDSHAKE_CLIENT_HELLO, GNUTLS_HOOK_PRE, look_at_hello);
	r = start(tls, ret_result);
	gnutls_global_set_log_level(0);
	odd_hello.data = NULL;
	return r;
}

/* Credentials with the trust anchors of a file; NULL: the system's. */
static int
load_anchors(const char *ca_file, gnutls_certificate_credentials_t *ret_trust,
    struct tls_result *ret_result)
{
	int count;

	if (gnutls_certificate_allocate_credentials(ret_trust) < 0)
		return -ENOMEM;
	count = ca_file != NULL
	    ? gnutls_certificate_set_x509_trust_file(*ret_trust, ca_file,
		  GNUTLS_X509_FMT_PEM)
	    : gnutls_certificate_set_x509_system_trust(*ret_trust);
	if (count > 0)
		return 0;
	(void)snprintf(ret_result->error, sizeof(ret_result->error),
	    "no trust anchors in %s: %s",
	    ca_file != NULL ? ca_file : "the system's trust store",
	    count < 0 ? gnutls_strerror(count) : "empty");
	gnutls_certificate_free_credentials(*ret_trust);
	return -ENOKEY;
}

int
tls_check_anchors(const char *ca_file, struct tls_result *ret_result)
{
	gnutls_certificate_credentials_t trust;

	*ret_result = (struct tls_result){ .error = "out of memory" };
	if (load_anchors(ca_file, &trust, ret_result) < 0)
		return -ENOKEY;
	gnutls_certificate_free_credentials(trust);
	return 0;
}

/* Credentials of a client: no certificate; trust anchors if the policy needs
 * them. */
static int
load_trust(const struct tls_policy *policy,
    gnutls_certificate_credentials_t *ret_trust, struct tls_result *ret_result)
{
	if (policy->check == TLS_CHECK_NAME)
		return load_anchors(policy->ca_file, ret_trust, ret_result);
	return gnutls_certificate_allocate_credentials(ret_trust) < 0 ? -ENOMEM
								      : 0;
}

/* GnuTLS ends its sentences with a space. */
static void
trim(char *text)
{
	for (size_t n = strlen(text); n > 0 && text[n - 1] == ' '; n--)
		text[n - 1] = '\0';
}

static int
check_fingerprint(gnutls_session_t session, const struct tls_policy *policy,
    char ret_error[TLS_TEXT_SIZE])
{
	char shown[TLS_FINGERPRINT_SIZE] = "";

	get_fingerprint(session, shown);
	for (size_t i = 0; i < policy->fingerprint_count; i++)
		if (strcmp(shown, policy->fingerprints[i]) == 0)
			return 0;
	(void)snprintf(ret_error, TLS_TEXT_SIZE,
	    "the certificate has another fingerprint: SHA256:%s", shown);
	return -EKEYREJECTED;
}

static int
check_certificate(gnutls_session_t session, const struct tls_policy *policy,
    char ret_error[TLS_TEXT_SIZE])
{
	switch (policy->check) {
	case TLS_CHECK_NAME:
		return tlspeer_verify_name(session, policy->host,
		    policy->is_san_required, ret_error);
	case TLS_CHECK_DANE:
		return tlsdane_verify(session, policy, ret_error);
	case TLS_CHECK_FINGERPRINT:
		return check_fingerprint(session, policy, ret_error);
	case TLS_CHECK_NONE:
		break;
	}
	return 0;
}

/* GnuTLS calls this when the server has shown its certificates. */
static int
check_peer(gnutls_session_t session)
{
	struct tls *tls = gnutls_transport_get_ptr(session);
	int r = tlspeer_check_strength(session, tls->mismatch);

	if (r == 0)
		r = check_certificate(session, tls->policy, tls->mismatch);
	trim(tls->mismatch);
	return r < 0 ? GNUTLS_E_CERTIFICATE_ERROR : 0;
}

/* Set the name of the server, and what its certificate must satisfy. */
static void
require(struct tls *tls, const struct tls_policy *policy)
{
	if (!is_ip(policy->host))
		(void)gnutls_server_name_set(tls->session, GNUTLS_NAME_DNS,
		    policy->host, strlen(policy->host));
	tls->policy = policy;
	if (policy->check != TLS_CHECK_NONE)
		gnutls_session_set_verify_function(tls->session, check_peer);
}

int
tls_connect(struct stream *stream, const struct tls_policy *policy,
    struct tls_memory *memory, int64_t deadline_mono_ms,
    struct tls_result *ret_result)
{
	gnutls_certificate_credentials_t trust;
	struct tls *tls;
	int r;

	*ret_result = (struct tls_result){ .error = "out of memory" };
	if ((r = load_trust(policy, &trust, ret_result)) < 0 ||
	    (r = make_session(stream, GNUTLS_CLIENT,
		 policy->check == TLS_CHECK_NONE ? PRIORITIES
						 : STRICT_PRIORITIES,
		 trust, deadline_mono_ms, &tls)) < 0)
		return r;
	require(tls, policy);
	recall(tls, memory);
	if ((r = start(tls, ret_result)) < 0 && memory != NULL)
		forget(memory);
	return r;
}

__attribute__((visibility("default")))
const struct tls_functions tls_functions = {
	.version = PACKAGE_VERSION,
	.identity_load = tls_identity_load,
	.identity_free = tls_identity_free,
	.accept = tls_accept,
};
