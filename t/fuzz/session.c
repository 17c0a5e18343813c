/* SPDX-License-Identifier: ISC */

/*
 * session.c - the whole dialogue: whatever a client sends, the replies are
 * SMTP, and the spool holds every message that was reported as queued,
 * complete, and nothing else. The spool is emptied after each input.
 *
 * An input that begins with "reject\n" is for a session with
 * SMTP_BARE_NEWLINE=reject. STARTTLS starts not TLS, but a transport that
 * changes nothing: octets that were received before the handshake must not be
 * used after it (RFC 3207 section 4.2).
 */

#include "config.h"

#include <sys/stat.h>

#include <ctype.h>
#include <strings.h>
#include <unistd.h>

#include "smtp-session/settings.h"
#include "lib/spool/claim.h"
#include "lib/spool/spool.h"
#include "lib/tls.h"
#include "smtp-session/dialogue.h"
#include "t/fuzz/fuzz.h"
#include "t/fuzz/log.h"
#include "t/fuzz/peer.h"
#include "t/unit/folder.h"

#define SEND_TIMEOUT_MS 300000
#define REPLY_MAX 512 /* RFC 5321 section 4.5.3.1.5 */

static const char queued[] = "250 2.0.0 ok, queued as ";

static struct session_settings settings;
static struct spool *spool;
static const struct peer client = { .is_local = true, .text = "[127.0.0.1]" };

int __wrap_tls_identity_load(const char *cert_file, const char *key_file,
    struct tls_identity **ret_identity, struct tls_result *ret_result);
void __wrap_tls_identity_free(struct tls_identity *identity);
int __wrap_tls_accept(struct stream *stream, struct tls_identity *identity,
    int64_t deadline_mono_ms, struct tls_result *ret_result);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char error[SETTINGS_ERROR_SIZE];

	(void)argc;
	(void)argv;
	folder_make();
	must(atexit(folder_remove) == 0);
	log_open("smtp-session");
	must(clearenv() == 0);
	must(setenv("SMTP_QUEUE_PATH", folder_at("spool"), 1) == 0);
	must(setenv("SMTP_HOSTNAME", "mail.test", 1) == 0);
	must(setenv("SMTP_TLS_CERT", "/nonexistent", 1) == 0);
	must(setenv("SMTP_TLS_KEY", "/nonexistent", 1) == 0);
	must(setenv("SMTP_AUTH", "any", 1) == 0);
	must(setenv("SMTP_DEBUG", "1", 1) == 0);
	must(session_settings_load(&settings, error) == 0);
	must(spool_open(settings.queue_path, &spool) == 0);
	return 0;
}

/* ---- no TLS ---- */

int
__wrap_tls_identity_load(const char *cert_file, const char *key_file,
    struct tls_identity **ret_identity, struct tls_result *ret_result)
{
	must(cert_file != NULL && key_file != NULL);
	*ret_result = (struct tls_result){ .error = "" };
	*ret_identity = NULL;
	return 0;
}

void
__wrap_tls_identity_free(struct tls_identity *identity)
{
	must(identity == NULL);
}

int
__wrap_tls_accept(struct stream *stream, struct tls_identity *identity,
    int64_t deadline_mono_ms, struct tls_result *ret_result)
{
	must(identity == NULL && deadline_mono_ms > 0);
	*ret_result =
	    (struct tls_result){ .protocol = "TLS", .cipher = "none" };
	if (!IS_PLANTED)
		stream_start_transport(stream, &peer_transport, stream);
	must(!stream_has_input(stream));
	return 0;
}

/* ---- the spool ---- */

/* Every line of a stored message ends in CRLF, and contains no other CR or LF,
 * and no NUL (SMTP_BARE_NEWLINE). The first line is our Received field. */
static void
check_content(const char *text, size_t length)
{
	const char *end = text + length;

	must(memchr(text, '\0', length) == NULL);
	must(strncmp(text, "Received: from ", 15) == 0);
	for (const char *p = text; p < end;) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));

		must(lf != NULL && lf > p && lf[-1] == '\r');
		must(memchr(p, '\r', (size_t)(lf - p)) == lf - 1);
		p = lf + 1;
	}
}

/* No field of the header is a blind copy. */
static void
check_header(const char *text)
{
	while (strncmp(text, "\r\n", 2) != 0 && *text != '\0') {
		must(strncasecmp(text, "Bcc:", 4) != 0);
		must(strncasecmp(text, "Resent-Bcc:", 11) != 0);
		text = strstr(text, "\r\n") + 2;
	}
}

/* The fields that we add have no control characters. */
static void
check_trace(const char *text)
{
	const char *end = strstr(text, "\r\n\t");

	must(end != NULL && fuzz_is_printable(text, (size_t)(end - text)));
}

static void
check_message(const struct claim *claim)
{
	size_t length = (size_t)claim->message.content_size_bytes;
	char *text = malloc(length + 1);
	struct stat st;

	must(text != NULL);
	must(pread(claim->message.fd, text, length,
		 (off_t)claim->message.content_offset) == (ssize_t)length);
	text[length] = '\0';
	check_content(text, length);
	check_header(text);
	check_trace(text);
	free(text);
	/* One name for each recipient, and one in the queue. */
	must(fstat(claim->message.fd, &st) == 0);
	must(st.st_nlink == claim->message.envelope.recipient_count + 1);
}

/* Check a message that was reported as queued: claim it as smtp-deliver does,
 * which verifies its seal. */
static void
check_queued(const char *id)
{
	struct queue_entry entry = { .place = QUEUE_NEW };
	struct claim *claim;

	must(snprintf(entry.name, sizeof(entry.name), "%.24s", id) == 24);
	must(claim_open(spool, &entry, &claim) == 0);
	check_message(claim);
	claim_release(claim);
	must(unlink(folder_at("spool/queue/new/%s", entry.name)) == 0);
}

static int
remove_mail(const char *path, const struct stat *st)
{
	if (!S_ISREG(st->st_mode) || strstr(path, ".eml") == NULL)
		return 0;
	must(st->st_nlink == 1 || strstr(path, "/queue/") == NULL);
	must(unlink(path) == 0);
	return 1;
}

/* Check that no message is left in the queue, and remove the recipients'
 * copies. */
static void
empty_spool(unsigned messages)
{
	must(folder_count("spool/queue/new") == 0);
	must(folder_count("spool/scratch") <= 0);
	if (messages > 0)
		must(folder_sum(remove_mail) >= (int)messages);
}

/* ---- the dialogue ---- */

/* RFC 5321 section 4.2. */
static void
check_reply_line(const char *line, size_t length)
{
	must(length >= 4 && length + 2 <= REPLY_MAX);
	must(fuzz_is_printable(line, length));
	must(line[0] >= '2' && line[0] <= '5');
	must(
	    isdigit((unsigned char)line[1]) && isdigit((unsigned char)line[2]));
	must(line[3] == ' ' || line[3] == '-');
}

/* Returns the number of messages that were reported as queued. */
static unsigned
check_replies(const char *said)
{
	unsigned messages = 0;

	must(strncmp(said, "220 mail.test ", 14) == 0);
	while (*said != '\0') {
		const char *end = strstr(said, "\r\n");

		must(end != NULL);
		check_reply_line(said, (size_t)(end - said));
		if (strncmp(said, queued, sizeof(queued) - 1) == 0) {
			check_queued(said + sizeof(queued) - 1);
			messages++;
		}
		said = end + 2;
	}
	return messages;
}

static void
hold_dialogue(const uint8_t *data, size_t size)
{
	unsigned long lines = log_lines();
	int fd = peer_connect(data, size);
	struct stream *stream;

	must(stream_open(fd, fd, SEND_TIMEOUT_MS, &stream) == 0);
	dialogue_hold(stream, &settings, &client);
	stream_free(stream);
	close(fd);
	must(log_lines() >= lines + 2); /* opened, closed */
}

/* Check that no descriptor was left open: the lowest free one is the same each
 * time. */
static void
check_descriptors(void)
{
	static int expected = -1;
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);

	if (expected == -1)
		expected = fd;
	must(fd >= 0 && fd == expected);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *said;
	size_t length;

	check_descriptors();
	settings.bare_newline = fuzz_take(&data, &size, "reject\n")
	    ? BARE_NEWLINE_REJECT
	    : BARE_NEWLINE_NORMALIZE;
	hold_dialogue(data, size);
	said = peer_end(&length);
	must(strlen(said) == length);
	empty_spool(check_replies(said));
	check_descriptors();
	return 0;
}
