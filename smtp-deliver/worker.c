/* SPDX-License-Identifier: ISC */

/*
 * worker.c - deliver messages to one destination.
 *
 * Runs in a process of its own, so it may wait; changes nothing on disk, but
 * reports. Hosts are tried in the route's order, each with all its addresses,
 * until every recipient has a final verdict or no host is left.
 */

#include "config.h"

#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/audit.h"
#include "lib/clock.h"
#include "smtp-deliver/auth.h"
#include "smtp-deliver/client.h"
#include "smtp-deliver/connect.h"
#include "smtp-deliver/masquerade.h"
#include "smtp-deliver/network.h"
#include "smtp-deliver/order.h"
#include "smtp-deliver/requiretls.h"
#include "smtp-deliver/route.h"
#include "smtp-deliver/transaction.h"
#include "smtp-deliver/worker.h"

struct worker {
	int fd;
	const struct destination *destination;
	const struct settings *settings;
	struct fetcher *fetcher;
	bool has_policy; /* the destination's was asked for */
	int policy_error;
	struct sts_policy policy;
	const struct dkim *dkim; /* NULL: nothing is signed */
	const struct credentials *credentials;
	struct masquerade masquerade;
	struct route route;
	struct client *client; /* a connection that can be used again */
	const struct route_host *client_host; /* where that leads */
	int client_messages; /* that went over it */
	enum reach reach; /* of the last job */
	bool is_unheard; /* nobody listens to reports any more */
};

/* A job while it is tried: who is open, and the worst that hosts did. */
struct trial {
	const struct job *job;
	size_t *open; /* of the job's recipients */
	size_t open_count;
	bool is_over; /* no other host may be tried now */
	bool was_any_address;
	bool was_reached; /* a host answered to a connection, */
	bool was_connected; /* was of use, and the message offered to it */
	bool was_withheld; /* a host was not even tried */
	unsigned failures; /* to connect, of enum connect_failure */
	bool was_dns_trouble;
	int host_count; /* that were looked at and may take mail */
	bool was_other_family;
	int lack_count; /* of these: that cannot give what REQUIRETLS asks */
	struct verdict lack; /* the last of them */
	bool was_missed; /* a TLS policy was not met, */
	struct verdict missed; /* so, at the last */
	bool is_signed; /* signatures are there, or are not to be */
	struct letter letter; /* what is sent */
	const char *sender; /* who it is from; */
	char other_sender[ADDRESS_SIZE]; /* called so towards relays */
	char signatures[DKIM_FIELDS_SIZE];
};

static const char *
message_id(const struct job *job)
{
	return job->task->claim->envelope.id;
}

static void
log_passed_over(const struct job *job, const struct verdict *verdict)
{
	audit_write(&(struct audit_record){
	    .event = AUDIT_HOST_PASSED_OVER,
	    .message = message_id(job),
	    .host = verdict->host,
	    .policy = *verdict->policy != '\0' ? verdict->policy : NULL,
	    .fingerprint =
		*verdict->fingerprint != '\0' ? verdict->fingerprint : NULL,
	    .status = verdict->status,
	    .reply = *verdict->reply != '\0' ? verdict->reply : NULL,
	    .reason = *verdict->reason != '\0' ? verdict->reason : NULL,
	});
}

/* Give the open recipients a verdict. */
static void
set_open(struct trial *trial, const struct verdict *verdict)
{
	for (size_t i = 0; i < trial->open_count; i++)
		trial->job->verdicts[trial->open[i]] = *verdict;
}

static bool
is_tls_needed(const struct trial *trial)
{
	return trial->job->task->claim->envelope.is_requiretls;
}

/* Whether TLS policies are put aside for the messages that come here. What is
 * asked of a relay, or by a route, is not for a message to say. */
static bool
is_tls_optional(const struct worker *worker)
{
	return worker->destination->is_tls_optional &&
	    !worker->route.is_relayed && !worker->route.has_level;
}

/* ---- reports --------------------------------------------------------------- */

static bool
report(struct worker *worker, const struct report *report)
{
	if (!worker->is_unheard && order_report(worker->fd, report) < 0)
		worker->is_unheard = true;
	return !worker->is_unheard;
}

static bool
report_verdict(struct worker *worker, const struct job *job, size_t recipient)
{
	return report(worker,
	    &(struct report){
		.kind = REPORT_VERDICT,
		.recipient = recipient,
		.verdict = job->verdicts[recipient],
	    });
}

/* Before another host is tried: who has the message now, or will never get it,
 * is to be on record first (promise P2). Returns whether that is so. */
static bool
report_so_far(struct worker *worker, struct trial *trial)
{
	const struct job *job = trial->job;

	for (size_t i = 0; i < job->recipient_count; i++)
		if (is_final(job->verdicts[i].outcome) &&
		    !report_verdict(worker, job, i))
			return false;
	if (!report(worker, &(struct report){ .kind = REPORT_SO_FAR }))
		return false;
	worker->is_unheard = order_wait(worker->fd) < 0;
	return !worker->is_unheard;
}

static void
report_job(struct worker *worker, const struct job *job)
{
	for (size_t i = 0; i < job->recipient_count; i++)
		if (!report_verdict(worker, job, i))
			return;
	(void)report(worker,
	    &(struct report){
		.kind = REPORT_DONE,
		.reach = (unsigned char)worker->reach,
	    });
}

/* ---- a message at a host --------------------------------------------------- */

/* Keep open who was deferred: another host may do better. */
static void
take_verdicts(struct trial *trial, const struct verdict *verdicts)
{
	size_t left = 0;

	for (size_t i = 0; i < trial->open_count; i++) {
		size_t n = trial->open[i];

		trial->job->verdicts[n] = verdicts[i];
		if (!is_final(verdicts[i].outcome))
			trial->open[left++] = n;
	}
	trial->open_count = left;
}

/* Find out what is sent: what is stored, with other senders towards relays. */
static int
write_letter(const struct worker *worker, struct trial *trial)
{
	const struct claim *claim = trial->job->task->claim;

	trial->letter.fd = claim->fd;
	trial->letter.offset = claim->content_offset;
	trial->letter.size_bytes = claim->content_size;
	trial->letter.edit_count = 0;
	trial->sender = claim->envelope.sender;
	if (!worker->route.is_relayed || worker->masquerade.count == 0)
		return 0;
	if (masquerade_address(&worker->masquerade, trial->sender,
		trial->other_sender))
		trial->sender = trial->other_sender;
	return masquerade_letter(&worker->masquerade, &trial->letter);
}

/* Sign the message, once for all hosts. It is not to go out unsigned because
 * something on this host is wrong; returns whether nothing is. */
static bool
sign_message(const struct worker *worker, struct trial *trial)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	int r;

	if (trial->is_signed)
		return true;
	if ((r = write_letter(worker, trial)) == 0)
		r = dkim_sign(worker->dkim, &trial->letter,
		    clock_real_ms() / 1000, trial->signatures);
	trial->is_signed = r == 0;
	if (r == 0)
		return true;
	verdict_set(&verdict, OUTCOME_DEFERRED, "4.3.0",
	    "the message could not be read, or signed: %s", strerror(-r));
	set_open(trial, &verdict);
	trial->is_over = true;
	return false;
}

/* Who we are for a host. Nobody is told but relays. */
static const struct credential *
find_credential(const struct worker *worker, const struct route_host *host)
{
	return worker->route.is_relayed
	    ? credentials_find(worker->credentials, host->name, host->port)
	    : NULL;
}

/* A relay does not want us: once a run this is told, and aloud. */
static void
note_auth_trouble(const struct worker *worker, const struct route_host *host,
    const struct verdict *verdict)
{
	const struct credential *credential = find_credential(worker, host);

	if (!credentials_note_refusal(worker->credentials, credential))
		return;
	audit_write(&(struct audit_record){
	    .event = AUDIT_AUTH_FAILED,
	    .host = verdict->host,
	    .tls = *verdict->tls != '\0' ? verdict->tls : NULL,
	    .status = verdict->status,
	    .reply = *verdict->reply != '\0' ? verdict->reply : NULL,
	    .reason = verdict->reason,
	});
}

/* A relay that refuses us has said nothing about the recipients. */
static void
judge_relay(const struct worker *worker, struct verdict *verdicts, size_t count)
{
	for (size_t i = 0; worker->route.is_relayed && i < count; i++)
		if (auth_judge(&verdicts[i]))
			note_auth_trouble(worker, worker->client_host,
			    &verdicts[i]);
}

/* Offer the message over the connection there is. Returns whether that can be
 * used again; if not it is gone. */
static bool
send_message(struct worker *worker, struct trial *trial)
{
	const struct claim *claim = trial->job->task->claim;
	size_t recipients[ENVELOPE_RECIPIENTS_MAX];
	struct transaction_message message = {
		.envelope = &claim->envelope,
		.letter = &trial->letter,
		.fields = trial->signatures,
		.recipients = recipients,
		.recipient_count = trial->open_count,
	};
	struct verdict *verdicts;
	enum transaction_end end;

	assert(trial->open_count > 0);
	trial->was_reached = trial->was_connected = true;
	if (!sign_message(worker, trial))
		return true;
	/* Whoever is not heard has been let go of: the message may be somebody
	 * else's by now. */
	if (!report(worker, &(struct report){ .kind = REPORT_SENDING })) {
		trial->is_over = true;
		return true;
	}
	verdicts = calloc(trial->open_count, sizeof(*verdicts));
	if (verdicts == NULL)
		return true;
	for (size_t i = 0; i < trial->open_count; i++)
		/* cppcheck-suppress unreadVariable ; the message has it */
		recipients[i] = trial->job->recipients[trial->open[i]];
	message.sender = trial->sender;
	worker->client_messages++;
	end = transaction_run(worker->client, &message, verdicts);
	judge_relay(worker, verdicts, trial->open_count);
	take_verdicts(trial, verdicts);
	free(verdicts);
	trial->is_over = end == TRANSACTION_UNSURE ||
	    (trial->open_count > 0 && !report_so_far(worker, trial));
	if (end == TRANSACTION_READY)
		return true;
	client_drop(worker->client);
	worker->client = NULL;
	return false;
}

/* What a policy, were it not only tested or put aside, would have kept from
 * being used. */
static void
log_missed(const struct job *job, const char *policy,
    const struct verdict *verdict)
{
	audit_write(&(struct audit_record){
	    .event = AUDIT_POLICY_MISSED,
	    .message = message_id(job),
	    .host = verdict->host,
	    .policy = policy,
	    .reason = verdict->reason,
	});
}

/* A host is not used. */
static void
pass_over(struct trial *trial, const struct verdict *verdict)
{
	log_passed_over(trial->job, verdict);
	set_open(trial, verdict);
}

/* A host cannot give what a message with REQUIRETLS needs: nothing is wrong with
 * it for others. */
static void
pass_over_lacking(struct trial *trial, const struct verdict *verdict)
{
	log_passed_over(trial->job, verdict);
	trial->lack = *verdict;
	trial->lack_count++;
}

/* A host that is tried, for those who are told of its addresses. */
struct host {
	struct trial *trial;
	const struct trust *trust;
};

static void
see_passed_over(void *context, const struct addrinfo *address,
    const char *reason, bool is_over)
{
	const struct host *host = context;
	struct verdict verdict;

	client_set_unconnected(host->trust, address, reason, &verdict);
	if (is_over)
		pass_over(host->trial, &verdict);
	else
		log_passed_over(host->trial->job, &verdict);
}

/* Where the destination's policy is being tested, tell what it lacks. */
static void
see_tested(struct worker *worker, struct trial *trial,
    const struct trust *trust)
{
	struct verdict verdict;

	if (!trust->is_tested || client_is_secure(worker->client))
		return;
	dialogue_begin_verdict(&worker->client->dialogue, &verdict);
	verdict_set(&verdict, OUTCOME_DEFERRED, "4.7.10",
	    "the host does not offer STARTTLS, which the MTA-STS policy of the "
	    "domain asks for");
	log_missed(trial->job, trust_name(TRUST_STS), &verdict);
}

/* Note what is not as the host's policy has it, where that can be put aside. */
static void
note_missed(struct trial *trial, const struct trust *trust,
    const struct verdict *verdict)
{
	if (!trust->is_tls_required || *verdict->reply != '\0' ||
	    strncmp(verdict->status, "4.7.", 4) != 0)
		return;
	trial->missed = *verdict;
	trial->was_missed = true;
}

/* Whether the host at the other end may have the message. */
static bool
may_be_sent(const struct worker *worker, struct trial *trial)
{
	struct verdict verdict;

	if (!is_tls_needed(trial) ||
	    requiretls_check_client(worker->client, &verdict) == 0)
		return true;
	pass_over_lacking(trial, &verdict);
	return false;
}

/* Try the next address of a host that answers. Returns whether there may be
 * another one. */
static bool
try_address(struct worker *worker, struct trial *trial,
    const struct route_host *route_host, const struct trust *trust,
    struct connect *connect)
{
	struct host host = { trial, trust };
	const struct addrinfo *address;
	struct verdict verdict;
	int fd;

	trial->was_any_address = true;
	/* Without another one, a connection that there is serves the next
	 * message. */
	fd = connect_next(connect, see_passed_over, &host, &address);
	if (fd < 0)
		return false;
	trial->was_reached = true;
	client_quit(worker->client);
	worker->client = NULL;
	if (client_open(trust, fd, address, find_credential(worker, route_host),
		worker->settings, &worker->client, &verdict) < 0) {
		if (verdict.is_auth_trouble != 0)
			note_auth_trouble(worker, route_host, &verdict);
		pass_over(trial, &verdict);
		note_missed(trial, trust, &verdict);
		/* Its other addresses would say the same. */
		return verdict.is_auth_trouble == 0;
	}
	worker->client_host = route_host;
	worker->client_messages = 0;
	see_tested(worker, trial, trust);
	if (!may_be_sent(worker, trial))
		return false;
	(void)send_message(worker, trial);
	return true;
}

static void
log_failure(const char *domain, const char *why)
{
	char reason[VERDICT_TEXT_SIZE];

	(void)snprintf(reason, sizeof(reason),
	    "the MTA-STS policy cannot be fetched: %s", why);
	audit_write(&(struct audit_record){
	    .event = AUDIT_POLICY_MISSED,
	    .host = domain,
	    .policy = trust_name(TRUST_STS),
	    .reason = reason,
	});
}

static void
ask_for_policy(struct worker *worker)
{
	static struct fetcher_answer answer;

	worker->policy_error = fetcher_ask(worker->fetcher, &answer);
	if (answer.failure[0] != '\0')
		log_failure(worker->fetcher->domain, answer.failure);
	worker->policy = answer.policy;
	worker->has_policy = true;
}

static int
get_policy(struct worker *worker, struct verdict *ret_verdict)
{
	if (!worker->has_policy)
		ask_for_policy(worker);
	if (worker->policy_error == 0)
		return 0;
	verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.3.5",
	    "there is no knowing whether the domain has an MTA-STS policy: %s",
	    strerror(-worker->policy_error));
	return -EHOSTUNREACH;
}

/* Find what is published for a host, or else for the destination (RFC 8461
 * section 2). */
static int
find_published_trust(struct worker *worker, const struct job *job,
    const struct route_host *host, struct trust *ret_trust,
    struct verdict *ret_verdict)
{
	int r = trust_find(host->domain, host->name, host->port, ret_trust,
	    ret_verdict);

	ret_trust->is_tls_first = host->is_tls_first;
	if (r < 0 || !route_has_policy(&worker->route) ||
	    is_tls_optional(worker) || ret_trust->level > TRUST_STS)
		return r;
	if ((r = get_policy(worker, ret_verdict)) < 0)
		return r;
	r = trust_apply_sts(ret_trust, &worker->policy, ret_verdict);
	if (r == 0 || !ret_trust->is_tested)
		return r;
	log_missed(job, trust_name(TRUST_STS), ret_verdict);
	return 0;
}

/* Find what holds for a host: that, or more, or nothing, as a route says. */
static int
find_trust(struct worker *worker, const struct job *job,
    const struct route_host *host, struct trust *ret_trust,
    struct verdict *ret_verdict)
{
	const struct route *route = &worker->route;
	int r;

	if (route->has_level && route->level == TRUST_NONE) {
		trust_set_default(host->name, ret_trust);
		return trust_require(ret_trust, TRUST_NONE, ret_verdict);
	}
	r = find_published_trust(worker, job, host, ret_trust, ret_verdict);
	return r == 0 && route->has_level
	    ? trust_require(ret_trust, route->level, ret_verdict)
	    : r;
}

/* Whether a message may go to a host of that name: with REQUIRETLS, DNSSEC or the
 * destination's policy must vouch for it. */
static bool
may_be_named(struct worker *worker, struct trial *trial,
    const struct route_host *host)
{
	bool has_policy =
	    route_has_policy(&worker->route) && !host->is_name_secure;
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	int r = 0;

	if (!is_tls_needed(trial))
		return true;
	if (has_policy)
		r = get_policy(worker, &verdict);
	if (r == 0)
		r = requiretls_check_name(host,
		    has_policy ? &worker->policy : NULL, &verdict);
	if (r == -EPROTONOSUPPORT)
		pass_over_lacking(trial, &verdict);
	else if (r < 0)
		pass_over(trial, &verdict);
	return r == 0;
}

static void
try_addresses(struct worker *worker, struct trial *trial, size_t number,
    const struct trust *trust)
{
	const struct route_host *host = &worker->route.hosts[number];
	struct connect connect;

	connect_begin(worker->route.addresses[number], worker->settings,
	    &connect);
	while (trial->open_count > 0 && !trial->is_over &&
	    try_address(worker, trial, host, trust, &connect))
		;
	trial->failures |= connect.failures;
}

/* Try a host as if nothing were published for it. What it shows must verify even
 * so (promise P5). */
static void
try_without_policy(struct worker *worker, struct trial *trial, size_t number)
{
	const struct route_host *host = &worker->route.hosts[number];
	const char *policy = trial->missed.policy;
	struct trust trust;

	log_missed(trial->job, *policy != '\0' ? policy : NULL, &trial->missed);
	trust_set_default(host->name, &trust);
	trust.is_tls_first = host->is_tls_first;
	try_addresses(worker, trial, number, &trust);
}

/* Whether a relay has refused us a moment ago, and is not to be asked again for
 * each message, and by each worker. */
static bool
is_refused(const struct worker *worker, const struct route_host *host,
    struct verdict *ret_verdict)
{
	const struct credential *credential = find_credential(worker, host);

	if (credential == NULL ||
	    !credentials_are_refused(worker->credentials, credential))
		return false;
	verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.7.8",
	    "line %u of SMTP_AUTH_FILE was of no use a moment ago",
	    credential->line);
	(void)snprintf(ret_verdict->host, sizeof(ret_verdict->host), "%s",
	    host->name);
	return true;
}

/* Try a host that has an address, under the policy that holds for it. */
static void
try_found_host(struct worker *worker, struct trial *trial, size_t number)
{
	const struct route_host *host = &worker->route.hosts[number];
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	struct trust trust;

	trial->was_any_address = true;
	trial->was_missed = false;
	if (is_refused(worker, host, &verdict)) {
		trial->was_withheld = true;
		pass_over(trial, &verdict);
		return;
	}
	if (!may_be_named(worker, trial, host))
		return;
	if (find_trust(worker, trial->job, host, &trust, &verdict) == 0)
		try_addresses(worker, trial, number, &trust);
	else {
		pass_over(trial, &verdict);
		trial->was_withheld = true;
		trial->missed = verdict;
		trial->was_missed = true;
	}
	if (trial->was_missed && is_tls_optional(worker) &&
	    trial->open_count > 0 && !trial->is_over)
		try_without_policy(worker, trial, number);
}

static void
try_host(struct worker *worker, struct trial *trial, size_t number)
{
	struct connect connect;

	switch (worker->route.answers[number]) {
	case DNS_FOUND:
		trial->host_count++;
		break;
	case DNS_TROUBLE:
		trial->host_count++;
		trial->was_dns_trouble = true;
		return;
	default:
		return;
	}
	connect_begin(worker->route.addresses[number], worker->settings,
	    &connect);
	if (connect.count == 0)
		trial->was_other_family = true;
	else
		try_found_host(worker, trial, number);
}

/* No host of the route has an address. */
static void
set_unreachable(struct trial *trial, const struct route *route)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };

	if (trial->was_other_family)
		verdict_set(&verdict, OUTCOME_DEFERRED, "4.4.4",
		    "no host for the domain has an address that "
		    "SMTP_IP_FAMILY allows");
	else if (trial->was_dns_trouble)
		verdict_set(&verdict, OUTCOME_DEFERRED, "4.4.3",
		    "the DNS gave no address of a host for the domain");
	else if (route->is_relayed)
		verdict_set(&verdict, OUTCOME_DEFERRED, "4.4.4",
		    "no relay has an address");
	else if (route->is_loop)
		route_set_loop(&verdict);
	else
		verdict_set(&verdict, OUTCOME_FAILED, "5.4.4",
		    "no host for the domain has an address");
	set_open(trial, &verdict);
}

/* Offer the message over the connection that served the one before. Returns the
 * host that need not be tried again, or NULL: if the connection was lost since
 * then, that is no more than a reason to connect anew. */
static const struct route_host *
try_connection(struct worker *worker, struct trial *trial)
{
	const struct route_host *host = worker->client_host;

	/* Hosts may bear no more. That is seen to when there is more. */
	if (worker->client_messages >= worker->settings->connection_messages) {
		client_quit(worker->client);
		worker->client = NULL;
	}
	if (worker->client == NULL)
		return NULL;
	trial->was_any_address = true;
	if (may_be_named(worker, trial, host) && may_be_sent(worker, trial) &&
	    !send_message(worker, trial))
		return NULL;
	trial->host_count++;
	return host;
}

/* The hosts that were tried lack what REQUIRETLS needs. That is final if it is
 * so of all (RFC 8689 section 4.2.1). To others these hosts are as good as
 * before: the next message begins with the first of them again. */
static void
end_lack(struct worker *worker, struct trial *trial)
{
	if (trial->lack_count == trial->host_count && !trial->is_over)
		set_open(trial, &trial->lack);
	client_quit(worker->client);
	worker->client = NULL;
}

/* How far a trial has got: what that tells of the destination. */
static enum reach
reach_of(const struct trial *trial)
{
	if (trial->was_connected ||
	    (trial->was_reached && trial->lack_count > 0))
		return REACH_HOST;
	if (!trial->was_any_address && trial->was_dns_trouble)
		return network_has_resolver() ? REACH_NOWHERE
					      : REACH_NO_RESOLVER;
	if (!trial->was_any_address || trial->lack_count > 0)
		return REACH_NOWHERE;
	if (trial->was_reached || trial->was_withheld ||
	    (trial->failures & CONNECT_FAILED_HERE) != 0)
		return REACH_UNUSABLE;
	/* A host that has IPv6 only is not there for who has IPv4 only. */
	if (trial->failures == CONNECT_FAILED_ROUTE && !network_has_any_route())
		return REACH_NO_ROUTE;
	return REACH_NO_HOST;
}

static void
try_route(struct worker *worker, struct trial *trial)
{
	const struct route_host *tried = try_connection(worker, trial);

	for (size_t i = 0; i < worker->route.host_count &&
	     trial->open_count > 0 && !trial->is_over &&
	     trial->host_count - trial->lack_count <
		 worker->settings->mx_hosts &&
	     route_look_up(&worker->route, i);
	     i++)
		if (&worker->route.hosts[i] != tried)
			try_host(worker, trial, i);
	if (!trial->was_any_address)
		set_unreachable(trial, &worker->route);
	worker->reach = reach_of(trial);
	if (trial->lack_count > 0)
		end_lack(worker, trial);
}

static void
do_job(struct worker *worker, const struct job *job)
{
	size_t open[ENVELOPE_RECIPIENTS_MAX];
	struct trial trial = {
		.job = job,
		.open = open,
		.open_count = job->recipient_count,
	};
	struct verdict verdict = { .outcome = OUTCOME_NONE };

	for (size_t i = 0; i < job->recipient_count; i++)
		/* cppcheck-suppress unreadVariable ; the trial has it */
		open[i] = i;
	verdict_set(&verdict, OUTCOME_DEFERRED, "4.3.0", "not tried");
	set_open(&trial, &verdict);
	worker->reach = REACH_NOWHERE;
	if (worker->route.host_count > 0 ||
	    route_find(worker->destination->name, worker->settings,
		&worker->route, &verdict) == 0)
		try_route(worker, &trial);
	else {
		set_open(&trial, &verdict);
		if (!is_final(verdict.outcome) && !network_has_resolver())
			worker->reach = REACH_NO_RESOLVER;
	}
}

void
worker_work(int fd, const struct destination *destination,
    struct fetcher *fetcher, const struct settings *settings,
    const struct dkim *dkim, const struct credentials *credentials)
{
	struct worker worker = {
		.fd = fd,
		.destination = destination,
		.fetcher = fetcher,
		.settings = settings,
		.dkim = dkim,
		.credentials = credentials,
	};
	char error[MASQUERADE_ERROR_SIZE];
	struct job *job;

	/* It was understood when the run began. */
	(void)masquerade_parse(settings->masquerade, settings->hostname,
	    &worker.masquerade, error);
	dns_start();
	while (!worker.is_unheard && order_receive(fd, &job) > 0) {
		do_job(&worker, job);
		report_job(&worker, job);
		order_free(job);
	}
	client_quit(worker.client);
}
