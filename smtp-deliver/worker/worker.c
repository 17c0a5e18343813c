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
#include "smtp-deliver/client/auth.h"
#include "smtp-deliver/client/client.h"
#include "smtp-deliver/client/connect.h"
#include "smtp-deliver/content/masquerade.h"
#include "smtp-deliver/net/network.h"
#include "smtp-deliver/worker/channel.h"
#include "smtp-deliver/policy/requiretls.h"
#include "smtp-deliver/route/route.h"
#include "smtp-deliver/client/transaction.h"
#include "smtp-deliver/worker/delivery.h"
#include "smtp-deliver/worker/worker.h"

struct worker {
	int fd;
	const char *destination; /* as nexthop_format() names it */
	bool is_tls_optional; /* its messages put TLS policies aside */
	const struct deliver_settings *settings;
	struct stsfetch *stsfetch;
	bool has_policy; /* the destination's was asked for */
	int policy_error;
	struct sts_policy policy;
	const struct dkim *dkim; /* NULL: nothing is signed */
	const struct credentials *credentials;
	struct masquerade masquerade;
	struct route route;
	struct client *client; /* a connection that can be used again */
	const struct route_host *client_host; /* where that leads */
	struct tls_memory *tls_memory; /* of the connection before */
	int client_messages; /* that went over it */
	enum reach reach; /* of the last job */
	bool is_unheard; /* nobody listens to reports any more */
};

/* Whether TLS policies are put aside for the messages that come here. What is
 * asked of a relay, or by a route, is not for a message to say. */
static bool
is_tls_optional(const struct worker *worker)
{
	return worker->is_tls_optional && !worker->route.is_relayed &&
	    !worker->route.has_level;
}

/* ---- reports ------------------------------------------------------------- */

static bool
report(struct worker *worker, const struct report *report)
{
	if (!worker->is_unheard && channel_send_report(worker->fd, report) < 0)
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
report_so_far(struct worker *worker, struct delivery *delivery)
{
	const struct job *job = delivery->job;

	for (size_t i = 0; i < job->recipient_count; i++)
		if (is_final(job->verdicts[i].outcome) &&
		    !report_verdict(worker, job, i))
			return false;
	if (!report(worker, &(struct report){ .kind = REPORT_SO_FAR }))
		return false;
	worker->is_unheard = channel_wait_go(worker->fd) < 0;
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

/* ---- a message at a host ------------------------------------------------- */

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

/* What is sent to those who are open. Recipients has room for all of them. */
static void
fill_message(const struct delivery *delivery, size_t *recipients,
    struct transaction_message *ret_message)
{
	*ret_message = (struct transaction_message){
		.envelope = &delivery->job->message->envelope,
		.sender = delivery->sender,
		.content = &delivery->content,
		.fields = delivery->signatures,
		.recipients = recipients,
		.recipient_count = delivery->open_count,
	};
	for (size_t i = 0; i < delivery->open_count; i++)
		recipients[i] = delivery->job->recipients[delivery->open[i]];
}

/* Whether the host at the other end may have the message, and can take it. */
static bool
may_be_sent(const struct worker *worker, struct delivery *delivery)
{
	size_t recipients[ENVELOPE_RECIPIENTS_MAX];
	struct transaction_message message;
	struct verdict verdict;

	delivery->was_reached = true;
	if (delivery_is_tls_needed(delivery) &&
	    requiretls_check_client(worker->client, &verdict) < 0) {
		delivery_pass_over_lacking(delivery, &verdict);
		return false;
	}
	if (!delivery_prepare(delivery, worker->dkim,
		worker->route.is_relayed ? &worker->masquerade : NULL))
		return false;
	fill_message(delivery, recipients, &message);
	if (transaction_can_take(worker->client, &message, &verdict))
		return true;
	delivery_pass_over_lacking(delivery, &verdict);
	return false;
}

/* Offer the message, which may be sent, over the connection there is. Returns
 * whether that can be used again; if not it is gone. */
static bool
send_message(struct worker *worker, struct delivery *delivery)
{
	size_t recipients[ENVELOPE_RECIPIENTS_MAX];
	struct transaction_message message;
	struct verdict *verdicts;
	enum transaction_end end;

	assert(delivery->open_count > 0);
	delivery->was_connected = true;
	/* Whoever is not heard has been let go of: the message may be somebody
	 * else's by now. */
	if (!report(worker, &(struct report){ .kind = REPORT_SENDING })) {
		delivery->is_over = true;
		return true;
	}
	verdicts = calloc(delivery->open_count, sizeof(*verdicts));
	if (verdicts == NULL)
		return true;
	fill_message(delivery, recipients, &message);
	worker->client_messages++;
	end = transaction_run(worker->client, &message, verdicts);
	judge_relay(worker, verdicts, delivery->open_count);
	delivery_take_verdicts(delivery, verdicts);
	free(verdicts);
	delivery->is_over = end == TRANSACTION_UNSURE ||
	    (delivery->open_count > 0 && !report_so_far(worker, delivery));
	if (end == TRANSACTION_READY)
		return true;
	client_drop(worker->client);
	worker->client = NULL;
	return false;
}

/* A host that is tried, for those who are told of its addresses. */
struct host {
	struct delivery *delivery;
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
		delivery_pass_over(host->delivery, &verdict);
	else
		delivery_log_passed_over(host->delivery, &verdict);
}

/* Where the destination's policy is being tested, tell what it lacks. */
static void
see_tested(struct worker *worker, struct delivery *delivery,
    const struct trust *trust)
{
	struct verdict verdict;

	if (!trust->is_tested || client_is_secure(worker->client))
		return;
	dialogue_begin_verdict(&worker->client->dialogue, &verdict);
	verdict_set(&verdict, OUTCOME_DEFERRED, "4.7.10",
	    "the host does not offer STARTTLS, which the MTA-STS policy of the "
	    "domain asks for");
	delivery_log_missed(delivery, level_name(LEVEL_STS), &verdict);
}

/* Try the next address of a host that answers. Returns whether there may be
 * another one. */
static bool
try_address(struct worker *worker, struct delivery *delivery,
    const struct route_host *route_host, const struct trust *trust,
    struct connect *connect)
{
	struct host host = { delivery, trust };
	const struct addrinfo *address;
	struct verdict verdict;
	int fd;

	delivery->was_any_address = true;
	/* Without another one, a connection that there is serves the next
	 * message. */
	fd = connect_next(connect, see_passed_over, &host, &address);
	if (fd < 0)
		return false;
	delivery->was_reached = true;
	client_quit(worker->client);
	worker->client = NULL;
	if (client_open(trust, fd, address, find_credential(worker, route_host),
		worker->tls_memory, worker->settings, &worker->client,
		&verdict) < 0) {
		if (verdict.is_auth_trouble != 0)
			note_auth_trouble(worker, route_host, &verdict);
		delivery_pass_over(delivery, &verdict);
		delivery_note_missed(delivery, trust, &verdict);
		/* Its other addresses would say the same. */
		return verdict.is_auth_trouble == 0;
	}
	worker->client_host = route_host;
	worker->client_messages = 0;
	see_tested(worker, delivery, trust);
	if (!may_be_sent(worker, delivery))
		return false;
	(void)send_message(worker, delivery);
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
	    .policy = level_name(LEVEL_STS),
	    .reason = reason,
	});
}

static void
ask_for_policy(struct worker *worker)
{
	static struct stsfetch_answer answer;

	worker->policy_error = stsfetch_ask(worker->stsfetch, &answer);
	if (answer.failure[0] != '\0')
		log_failure(worker->stsfetch->domain, answer.failure);
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
find_published_trust(struct worker *worker, const struct delivery *delivery,
    const struct route_host *host, struct trust *ret_trust,
    struct verdict *ret_verdict)
{
	int r = trust_find(host->domain, host->name, host->port, ret_trust,
	    ret_verdict);

	ret_trust->is_tls_first = host->is_tls_first;
	if (r < 0 || !route_has_policy(&worker->route) ||
	    is_tls_optional(worker) || ret_trust->level > LEVEL_STS)
		return r;
	if ((r = get_policy(worker, ret_verdict)) < 0)
		return r;
	r = trust_apply_sts(ret_trust, &worker->policy, ret_verdict);
	if (r == 0 || !ret_trust->is_tested)
		return r;
	delivery_log_missed(delivery, level_name(LEVEL_STS), ret_verdict);
	return 0;
}

/* Find what holds for a host: that, or more, or nothing, as a route says. */
static int
find_trust(struct worker *worker, const struct delivery *delivery,
    const struct route_host *host, struct trust *ret_trust,
    struct verdict *ret_verdict)
{
	const struct route *route = &worker->route;
	int r;

	if (route->has_level && route->level == LEVEL_NONE) {
		trust_set_default(host->name, ret_trust);
		return trust_require(ret_trust, LEVEL_NONE, ret_verdict);
	}
	r = find_published_trust(worker, delivery, host, ret_trust,
	    ret_verdict);
	return r == 0 && route->has_level
	    ? trust_require(ret_trust, route->level, ret_verdict)
	    : r;
}

/* Whether a message may go to a host of that name: with REQUIRETLS, DNSSEC or
 * the destination's policy must vouch for it. */
static bool
may_be_named(struct worker *worker, struct delivery *delivery,
    const struct route_host *host)
{
	bool has_policy =
	    route_has_policy(&worker->route) && !host->is_name_secure;
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	int r = 0;

	if (!delivery_is_tls_needed(delivery))
		return true;
	if (has_policy)
		r = get_policy(worker, &verdict);
	if (r == 0)
		r = requiretls_check_name(host,
		    has_policy ? &worker->policy : NULL, &verdict);
	if (r == -EPROTONOSUPPORT)
		delivery_pass_over_lacking(delivery, &verdict);
	else if (r < 0)
		delivery_pass_over(delivery, &verdict);
	return r == 0;
}

static void
try_addresses(struct worker *worker, struct delivery *delivery, size_t number,
    const struct trust *trust)
{
	const struct route_host *host = &worker->route.hosts[number];
	struct connect connect;

	connect_begin(worker->route.addresses[number], worker->settings,
	    &connect);
	while (delivery->open_count > 0 && !delivery->is_over &&
	    try_address(worker, delivery, host, trust, &connect))
		;
	delivery->failures |= connect.failures;
}

/* Try a host as if nothing were published for it. What it shows must verify
 * even so (promise P5). */
static void
try_without_policy(struct worker *worker, struct delivery *delivery,
    size_t number)
{
	const struct route_host *host = &worker->route.hosts[number];
	const char *policy = delivery->missed.policy;
	struct trust trust;

	delivery_log_missed(delivery, *policy != '\0' ? policy : NULL,
	    &delivery->missed);
	trust_set_default(host->name, &trust);
	trust.is_tls_first = host->is_tls_first;
	try_addresses(worker, delivery, number, &trust);
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
try_found_host(struct worker *worker, struct delivery *delivery, size_t number)
{
	const struct route_host *host = &worker->route.hosts[number];
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	struct trust trust;

	delivery->was_any_address = true;
	delivery->was_missed = false;
	if (is_refused(worker, host, &verdict)) {
		delivery->was_withheld = true;
		delivery_pass_over(delivery, &verdict);
		return;
	}
	if (!may_be_named(worker, delivery, host))
		return;
	if (find_trust(worker, delivery, host, &trust, &verdict) == 0)
		try_addresses(worker, delivery, number, &trust);
	else {
		delivery_pass_over(delivery, &verdict);
		delivery->was_withheld = true;
		delivery->missed = verdict;
		delivery->was_missed = true;
	}
	if (delivery->was_missed && is_tls_optional(worker) &&
	    delivery->open_count > 0 && !delivery->is_over)
		try_without_policy(worker, delivery, number);
}

static void
try_host(struct worker *worker, struct delivery *delivery, size_t number)
{
	struct connect connect;

	switch (worker->route.answers[number]) {
	case DNS_FOUND:
		delivery->host_count++;
		break;
	case DNS_TROUBLE:
		delivery->host_count++;
		delivery->was_dns_trouble = true;
		return;
	default:
		return;
	}
	connect_begin(worker->route.addresses[number], worker->settings,
	    &connect);
	if (connect.count == 0)
		delivery->was_other_family = true;
	else
		try_found_host(worker, delivery, number);
}

/* Offer the message over the connection that served the one before. Returns the
 * host that need not be tried again, or NULL: if the connection was lost since
 * then, that is no more than a reason to connect anew. */
static const struct route_host *
try_connection(struct worker *worker, struct delivery *delivery)
{
	const struct route_host *host = worker->client_host;

	/* Hosts may bear no more. That is seen to when there is more. */
	if (worker->client_messages >= worker->settings->connection_messages) {
		client_quit(worker->client);
		worker->client = NULL;
	}
	if (worker->client == NULL)
		return NULL;
	delivery->was_any_address = true;
	if (may_be_named(worker, delivery, host) &&
	    may_be_sent(worker, delivery) && !send_message(worker, delivery))
		return NULL;
	delivery->host_count++;
	return host;
}

/* Hosts that were tried lack what the message needs. That is final if it is so
 * of all (RFC 6152 section 3, RFC 8689 section 4.2.1). To others these hosts
 * are as good as before: the next message begins with the first of them
 * again. */
static void
end_lack(struct worker *worker, struct delivery *delivery)
{
	if (delivery->lack_count == delivery->host_count && !delivery->is_over)
		delivery_set_open(delivery, &delivery->lack);
	client_quit(worker->client);
	worker->client = NULL;
}

static void
try_route(struct worker *worker, struct delivery *delivery)
{
	const struct route_host *tried = try_connection(worker, delivery);

	for (size_t i = 0; i < worker->route.host_count &&
	     delivery->open_count > 0 && !delivery->is_over &&
	     delivery->host_count - delivery->lack_count <
		 worker->settings->mx_hosts &&
	     route_look_up(&worker->route, i);
	     i++)
		if (&worker->route.hosts[i] != tried)
			try_host(worker, delivery, i);
	if (!delivery->was_any_address)
		delivery_set_unreachable(delivery, &worker->route);
	worker->reach = delivery_reach(delivery);
	if (delivery->lack_count > 0)
		end_lack(worker, delivery);
}

static void
do_job(struct worker *worker, const struct job *job)
{
	size_t open[ENVELOPE_RECIPIENTS_MAX];
	struct delivery delivery = {
		.job = job,
		.open = open,
		.open_count = job->recipient_count,
	};
	struct verdict verdict = { .outcome = OUTCOME_NONE };

	for (size_t i = 0; i < job->recipient_count; i++)
		/* cppcheck-suppress unreadVariable ; the trial has it */
		open[i] = i;
	verdict_set(&verdict, OUTCOME_DEFERRED, "4.3.0", "not tried");
	delivery_set_open(&delivery, &verdict);
	worker->reach = REACH_NOWHERE;
	if (worker->route.host_count > 0 ||
	    route_find(worker->destination, worker->settings, &worker->route,
		&verdict) == 0)
		try_route(worker, &delivery);
	else {
		delivery_set_open(&delivery, &verdict);
		if (!is_final(verdict.outcome) && !network_has_resolver())
			worker->reach = REACH_NO_RESOLVER;
	}
}

void
worker_work(int fd, const char *destination, bool is_tls_optional,
    struct stsfetch *stsfetch, const struct deliver_settings *settings,
    const struct dkim *dkim, const struct credentials *credentials)
{
	struct worker worker = {
		.fd = fd,
		.destination = destination,
		.is_tls_optional = is_tls_optional,
		.stsfetch = stsfetch,
		.settings = settings,
		.dkim = dkim,
		.credentials = credentials,
	};
	char error[MASQUERADE_ERROR_SIZE];
	struct message message;
	struct job job;

	/* It was understood when the run began. */
	(void)masquerade_parse(settings->masquerade, settings->hostname,
	    &worker.masquerade, error);
	worker.tls_memory = tls_memory_new();
	dns_start();
	while (
	    !worker.is_unheard && channel_receive_job(fd, &message, &job) > 0) {
		do_job(&worker, &job);
		report_job(&worker, &job);
		job_clear(&job);
		message_close(&message);
	}
	client_quit(worker.client);
	tls_memory_free(worker.tls_memory);
}
