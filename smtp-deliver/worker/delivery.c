/* SPDX-License-Identifier: ISC */

/*
 * delivery.c - deliver a message to a destination: hosts in the order of the
 * route, each with all its addresses, until every recipient has a final verdict
 * or no host is left (RFC 5321 section 5.1).
 *
 * Knows nothing of the run: between two hosts it returns to the worker, which
 * reports. So its position among them is a struct.
 */

#include "config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "smtp-deliver/client/auth.h"
#include "smtp-deliver/client/client.h"
#include "smtp-deliver/client/connect.h"
#include "smtp-deliver/client/transaction.h"
#include "smtp-deliver/net/network.h"
#include "smtp-deliver/worker/batch.h"
#include "smtp-deliver/worker/transfer.h"
#include "smtp-deliver/worker/connection.h"
#include "smtp-deliver/worker/delivery.h"
#include "smtp-deliver/worker/hostlog.h"
#include "smtp-deliver/worker/refusal.h"
#include "smtp-deliver/worker/requirement.h"

/* How often a content may be sent in vain in an attempt. */
#define CONTENTS_MAX 2

/* A host whose addresses are tried. */
struct candidate {
	const struct route_host *host; /* NULL: none yet */
	bool has_addresses; /* that may be tried */
	const struct addrinfo *addresses;
	struct connect connect;
	struct requirement requirement;
	bool is_resumed; /* it has taken a part of the recipients */
	bool was_missed; /* it did not meet its TLS policy, which may be put
			  * aside, */
	struct verdict missed; /* for this reason */
};

/* A place among the hosts of a route. */
struct position {
	bool has_route;
	bool is_kept_tried; /* the connection of the message before was, */
	const struct route_host
	    *kept_host; /* and its host is not tried again */
	size_t next_host; /* of the route */
	bool is_unfinished; /* the host just used is to get more recipients */
	struct candidate candidate;
};

struct delivery {
	const char *destination;
	const struct deliver_settings *settings;
	const struct dkim *dkim; /* NULL: messages are not signed */
	struct masquerade masquerade;
	struct route route;
	struct requirements requirements;
	struct connection connection;
	/* The message under way. */
	struct transfer transfer;
	struct position position;
	struct batch batch;
};

/* ---- hosts that are not used --------------------------------------------- */

static void
pass_over_address(struct delivery *delivery, const struct connect_event *event)
{
	const struct candidate *candidate = &delivery->position.candidate;
	struct verdict verdict;

	client_set_unconnected(&candidate->requirement.trust, event->address,
	    event->reason, &verdict);
	if (event->kind == CONNECT_EVENT_FAILED)
		transfer_pass_over(&delivery->transfer, &verdict);
	else
		hostlog_passed_over(delivery->transfer.job, &verdict);
}

/* A relay rejected our credential, or wants one. No worker asks it again for a
 * while; the journal gets it once a run. */
static void
note_auth_trouble(const struct delivery *delivery,
    const struct route_host *host, const struct verdict *verdict)
{
	const struct credentials *credentials =
	    delivery->requirements.credentials;
	const struct credential *credential =
	    requirements_find_credential(&delivery->requirements, host);

	if (credentials_note_refusal(credentials, credential))
		hostlog_auth_failed(verdict);
}

/* Note that the candidate does not meet its TLS policy, if that is why it was
 * not used and the policy can be put aside. */
static void
note_missed(struct candidate *candidate, const struct verdict *verdict)
{
	bool is_handshake = strcmp(verdict->status, CLIENT_STATUS_TLS) == 0;

	if (*verdict->reply != '\0' || verdict->is_auth_trouble != 0 ||
	    strncmp(verdict->status, "4.7.", 4) != 0 ||
	    (!candidate->requirement.trust.is_tls_required && !is_handshake))
		return;
	candidate->missed = *verdict;
	candidate->was_missed = true;
}

/* ---- what is required of a host ------------------------------------------ */

/* Whether the candidate may be connected to. */
static bool
check_requirement(struct delivery *delivery)
{
	struct transfer *transfer = &delivery->transfer;
	struct candidate *candidate = &delivery->position.candidate;
	const struct requirement *requirement = &candidate->requirement;

	requirements_find(&delivery->requirements, candidate->host,
	    transfer_is_requiretls(transfer), &candidate->requirement);
	hostlog_policy(requirements_take_policy(&delivery->requirements));
	if (requirement->is_test_failed)
		hostlog_policy_missed(transfer->job, level_name(LEVEL_STS),
		    &requirement->tested);
	switch (requirement->result) {
	case REQUIREMENT_USABLE:
		return true;
	case REQUIREMENT_UNVOUCHED:
		transfer_pass_over_lacking(transfer, &requirement->verdict);
		return false;
	case REQUIREMENT_UNMET:
		candidate->missed = requirement->verdict;
		candidate->was_missed = true;
		transfer->evidence.was_withheld = true;
		break;
	case REQUIREMENT_REFUSED:
		transfer->evidence.was_withheld = true;
		break;
	case REQUIREMENT_UNKNOWN:
		break;
	}
	transfer_pass_over(transfer, &requirement->verdict);
	return false;
}

/* Whether the message may go to the host of a connection that there is: its TLS
 * policy was applied before, REQUIRETLS is this message's. */
static bool
check_kept_host(struct delivery *delivery, const struct route_host *host)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	enum requiretls name;

	if (!transfer_is_requiretls(&delivery->transfer))
		return true;
	name = requirements_check_name(&delivery->requirements, host, &verdict);
	hostlog_policy(requirements_take_policy(&delivery->requirements));
	if (name == REQUIRETLS_UNMET)
		transfer_pass_over_lacking(&delivery->transfer, &verdict);
	else if (name == REQUIRETLS_UNKNOWN)
		transfer_pass_over(&delivery->transfer, &verdict);
	return name == REQUIRETLS_MET;
}

/* ---- connections --------------------------------------------------------- */

/* Whether the connected host may get the message and can take it. */
static bool
prepare(struct delivery *delivery)
{
	return transfer_prepare(&delivery->transfer,
	    delivery->connection.client, delivery->dkim,
	    delivery->route.is_relayed ? &delivery->masquerade : NULL);
}

/* Use the connection that served the message before. */
static bool
use_kept(struct delivery *delivery)
{
	struct connection *connection = &delivery->connection;
	struct position *position = &delivery->position;
	struct evidence *evidence = &delivery->transfer.evidence;

	if (position->is_kept_tried || !position->has_route)
		return false;
	position->is_kept_tried = true;
	/* Hosts may limit the messages of a connection. */
	if (connection->message_count >=
	    delivery->settings->connection_messages)
		connection_close(connection);
	if (connection->client == NULL)
		return false;
	/* It may serve other messages only. */
	if (transfer_is_requiretls(&delivery->transfer) &&
	    client_is_secure(connection->client) &&
	    !client_is_verified(connection->client)) {
		connection_close(connection);
		return false;
	}
	position->kept_host = connection->host;
	evidence->host_count++;
	evidence->was_any_address = true;
	return check_kept_host(delivery, connection->host) && prepare(delivery);
}

/* The connection is lost. If it served the message before, that says nothing
 * about the host, which is tried again in its turn. */
static void
lose_connection(struct delivery *delivery)
{
	connection_drop(&delivery->connection);
	if (delivery->position.candidate.host != NULL)
		return;
	delivery->position.kept_host = NULL;
	delivery->transfer.evidence.host_count--;
}

/* The candidate's certificate does not verify, as REQUIRETLS asks for: that is
 * final unless another host has a good one (RFC 8689 section 4.2.1). */
static void
fail_requiretls(struct delivery *delivery, struct verdict *verdict)
{
	char reason[VERDICT_TEXT_SIZE];

	(void)strlcpy(reason, verdict->reason, sizeof(reason));
	verdict_set(verdict, OUTCOME_FAILED, "5.7.10", "REQUIRETLS: %s",
	    reason);
	delivery->position.candidate.has_addresses = false;
	transfer_pass_over_lacking(&delivery->transfer, verdict);
}

/* Open the SMTP session with an address that has answered. */
static bool
open_connection(struct delivery *delivery, const struct connect_event *event)
{
	struct connection *connection = &delivery->connection;
	struct candidate *candidate = &delivery->position.candidate;
	struct verdict verdict;
	enum client_result result;

	delivery->transfer.evidence.was_reached = true;
	result = connection_open(connection, candidate->host,
	    &candidate->requirement, event, delivery->settings, &verdict);
	if (result == CLIENT_OPEN) {
		if (candidate->requirement.trust.is_tested)
			hostlog_tested(delivery->transfer.job,
			    connection->client);
		return true;
	}
	if (result == CLIENT_UNVERIFIED &&
	    transfer_is_requiretls(&delivery->transfer)) {
		fail_requiretls(delivery, &verdict);
		return false;
	}
	/* The other addresses of a relay would reject us as well. */
	candidate->has_addresses = verdict.is_auth_trouble == 0;
	if (verdict.is_auth_trouble != 0)
		note_auth_trouble(delivery, candidate->host, &verdict);
	transfer_pass_over(&delivery->transfer, &verdict);
	note_missed(candidate, &verdict);
	return false;
}

/* Connect to the candidate's next address. A connection that there is stays
 * open until another one answers: it may serve the next message. */
static bool
connect_address(struct delivery *delivery)
{
	struct candidate *candidate = &delivery->position.candidate;
	struct evidence *evidence = &delivery->transfer.evidence;
	struct connect_event event;

	while (candidate->has_addresses &&
	    transfer_can_go_on(&delivery->transfer)) {
		candidate->has_addresses =
		    connect_next(&candidate->connect, &event);
		evidence->failures |= candidate->connect.failures;
		if (!candidate->has_addresses)
			break;
		if (event.kind != CONNECT_EVENT_OPEN)
			pass_over_address(delivery, &event);
		else if (open_connection(delivery, &event))
			return true;
	}
	return false;
}

/* Begin with the addresses of a host of the route. Returns whether it has any
 * that can be tried. */
static bool
begin_addresses(struct delivery *delivery, size_t number)
{
	struct candidate *candidate = &delivery->position.candidate;
	struct evidence *evidence = &delivery->transfer.evidence;
	enum dns_answer answer = delivery->route.answers[number];

	if (answer != DNS_FOUND && answer != DNS_TROUBLE)
		return false;
	evidence->host_count++;
	if (answer == DNS_TROUBLE) {
		evidence->was_dns_trouble = true;
		return false;
	}
	candidate->addresses = delivery->route.addresses[number];
	connect_begin(candidate->addresses, delivery->settings,
	    &candidate->connect);
	if (candidate->connect.count == 0) {
		evidence->was_other_family = true;
		return false;
	}
	evidence->was_any_address = true;
	return true;
}

/* Make the next host of the route the candidate. Returns false if there is none
 * that may be tried; SMTP_MX_HOSTS limits them. */
static bool
next_host(struct delivery *delivery)
{
	struct position *position = &delivery->position;
	const struct evidence *evidence = &delivery->transfer.evidence;
	struct route *route = &delivery->route;
	size_t number = position->next_host;

	if (!transfer_can_go_on(&delivery->transfer) ||
	    number >= route->host_count ||
	    evidence->host_count - evidence->lack_count >=
		delivery->settings->mx_hosts ||
	    !route_look_up(route, number, delivery->settings))
		return false;
	position->next_host++;
	position->candidate =
	    (struct candidate){ .host = &route->hosts[number] };
	if (position->candidate.host != position->kept_host &&
	    begin_addresses(delivery, number))
		position->candidate.has_addresses = check_requirement(delivery);
	return true;
}

/* Find the level to try after the candidate has missed its own. Opportunistic
 * TLS that fails leaves plain text. For a message with "TLS-Required: No",
 * published policies are ignored first, then the certificate (RFC 8689 sections
 * 3 and 4.2.2). Returns whether there is such a level. */
static bool
find_weaker_level(const struct delivery *delivery, enum level *ret_level)
{
	const struct requirement *requirement =
	    &delivery->position.candidate.requirement;
	const struct trust *trust = &requirement->trust;

	*ret_level = LEVEL_NONE;
	if (trust->level == LEVEL_MAY)
		return !trust->is_tls_first;
	*ret_level =
	    trust->is_tls_required || requirement->result == REQUIREMENT_UNMET
	    ? LEVEL_VERIFY
	    : LEVEL_MAY;
	return requirements_are_optional(&delivery->requirements);
}

/* Try the candidate once more, at a weaker level, if it may be. */
static bool
put_policy_aside(struct delivery *delivery)
{
	struct candidate *candidate = &delivery->position.candidate;
	const char *policy = candidate->missed.policy;
	enum level level;

	if (!candidate->was_missed ||
	    !transfer_can_go_on(&delivery->transfer) ||
	    !find_weaker_level(delivery, &level))
		return false;
	candidate->was_missed = false;
	hostlog_policy_missed(delivery->transfer.job,
	    *policy != '\0' ? policy : NULL, &candidate->missed);
	requirements_find_weaker(&delivery->requirements, candidate->host,
	    level, &candidate->requirement);
	connect_begin(candidate->addresses, delivery->settings,
	    &candidate->connect);
	candidate->has_addresses = true;
	return true;
}

/* Go on with the host that was used just now, over its connection. If that is
 * lost or worn, the host's addresses are tried again. */
static bool
use_again(struct delivery *delivery)
{
	struct position *position = &delivery->position;
	struct candidate *candidate = &position->candidate;
	struct connection *connection = &delivery->connection;

	if (!position->is_unfinished ||
	    !transfer_can_go_on(&delivery->transfer))
		return false;
	position->is_unfinished = false;
	if (connection->client != NULL &&
	    connection->message_count < delivery->settings->connection_messages)
		return true;
	if (connection->client != NULL) {
		connection_close(connection);
		lose_connection(delivery);
	}
	if (candidate->host != NULL) {
		connect_begin(candidate->addresses, delivery->settings,
		    &candidate->connect);
		candidate->has_addresses = candidate->is_resumed = true;
	}
	return false;
}

/* Begin with the recipients at a host, unless it has had some of them. */
static void
begin_batches(struct delivery *delivery)
{
	struct candidate *candidate = &delivery->position.candidate;

	if (!candidate->is_resumed)
		batch_begin(&delivery->batch, delivery->transfer.job,
		    (size_t)delivery->settings->destination_recipients);
	candidate->is_resumed = false;
}

bool
delivery_connect(struct delivery *delivery)
{
	struct candidate *candidate = &delivery->position.candidate;

	if (use_again(delivery))
		return true;
	if (use_kept(delivery)) {
		begin_batches(delivery);
		return true;
	}
	do
		while (connect_address(delivery)) {
			if (prepare(delivery)) {
				begin_batches(delivery);
				return true;
			}
			/* The host's other addresses lack the same. */
			candidate->has_addresses = false;
		}
	while (put_policy_aside(delivery) || next_host(delivery));
	return false;
}

/* ---- a message ----------------------------------------------------------- */

/* A relay that rejects us has said nothing about the recipients. */
static void
judge_relay(const struct delivery *delivery, struct verdict *verdicts,
    size_t count)
{
	for (size_t i = 0; delivery->route.is_relayed && i < count; i++)
		if (auth_judge(&verdicts[i]))
			note_auth_trouble(delivery, delivery->connection.host,
			    &verdicts[i]);
}

/* The content was sent in vain: it may be sent once more in this attempt, to
 * another host of the route if there is one left. */
static void
limit_contents(struct delivery *delivery)
{
	struct transfer *transfer = &delivery->transfer;
	struct position *position = &delivery->position;

	if (++transfer->contents_deferred >= CONTENTS_MAX)
		transfer->is_over = true;
	if (position->next_host < delivery->route.host_count)
		position->candidate.has_addresses = false;
}

/* Take the verdicts of a transaction, and what follows for the connection and
 * the host. That a used connection is lost says nothing about the host. */
static void
take_verdicts(struct delivery *delivery, struct verdict *verdicts,
    enum transaction_refusal refusal, enum transaction_end end)
{
	struct transfer *transfer = &delivery->transfer;
	struct batch *batch = &delivery->batch;
	bool is_fresh = delivery->connection.message_count++ == 0;
	bool is_lost = end == TRANSACTION_LOST && refusal == REFUSAL_NONE;
	bool is_progress = true;

	transfer->evidence.was_crowded =
	    is_fresh && refusal_is_crowding(refusal, verdicts, batch->count);
	if (!is_fresh &&
	    (refusal_defer_session(refusal, verdicts, batch->count) ||
		is_lost)) {
		batch_put_off(batch, verdicts);
		if (end == TRANSACTION_READY)
			connection_close(&delivery->connection);
		end = TRANSACTION_LOST;
	} else
		is_progress = batch_take(batch, verdicts, refusal,
		    end != TRANSACTION_READY);
	if (end != TRANSACTION_READY)
		lose_connection(delivery);
	delivery->position.is_unfinished =
	    batch_has_more(batch) && (is_progress || end == TRANSACTION_READY);
	transfer->is_over = end == TRANSACTION_UNSURE;
	if (refusal == REFUSAL_CONTENT && !delivery->position.is_unfinished)
		limit_contents(delivery);
}

bool
delivery_send(struct delivery *delivery)
{
	struct transfer *transfer = &delivery->transfer;
	struct batch *batch = &delivery->batch;
	size_t recipients[ENVELOPE_RECIPIENTS_MAX];
	struct transaction_message message;
	struct verdict *verdicts;
	enum transaction_refusal refusal;
	enum transaction_end end;
	bool is_any = batch_next(batch);

	assert(is_any);
	transfer->evidence.was_offered = true;
	if ((verdicts = calloc(batch->count, sizeof(*verdicts))) == NULL)
		return true;
	batch_list(batch, recipients);
	transfer_fill_message(transfer, recipients, batch->count, &message);
	end = transaction_run(delivery->connection.client, &message, verdicts,
	    &refusal);
	judge_relay(delivery, verdicts, batch->count);
	take_verdicts(delivery, verdicts, refusal, end);
	free(verdicts);
	return transfer_can_go_on(transfer);
}

void
delivery_begin(struct delivery *delivery, struct job *job)
{
	struct transfer *transfer = &delivery->transfer;
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	bool has_route;

	transfer_begin(transfer, job);
	has_route = delivery->route.host_count > 0 ||
	    route_find(delivery->destination, delivery->settings,
		&delivery->route, &verdict);
	if (!has_route)
		job_set_verdict(job, &verdict);
	transfer->is_over = !has_route;
	delivery->position = (struct position){ .has_route = has_route };
}

enum reach
delivery_end(struct delivery *delivery)
{
	struct transfer *transfer = &delivery->transfer;

	if (!delivery->position.has_route)
		return job_count_open(transfer->job) > 0 &&
			!network_has_resolver()
		    ? REACH_NO_RESOLVER
		    : REACH_NOWHERE;
	transfer_end(transfer, &delivery->route);
	/* To other messages a host that lacks something is as good as before:
	 * the next one begins with the first host again. */
	if (transfer->evidence.lack_count > 0)
		connection_close(&delivery->connection);
	return evidence_get_reach(&transfer->evidence);
}

/* ---- a destination ------------------------------------------------------- */

struct delivery *
delivery_new(const struct worker_config *config, const char *destination,
    bool is_tls_optional, struct stsfetch *stsfetch)
{
	struct delivery *delivery = calloc(1, sizeof(*delivery));
	char error[MASQUERADE_ERROR_SIZE];

	if (delivery == NULL)
		return NULL;
	delivery->destination = destination;
	delivery->settings = config->settings;
	delivery->dkim = config->dkim;
	/* main() has checked it. */
	(void)masquerade_parse(config->settings->masquerade,
	    config->settings->hostname, &delivery->masquerade, error);
	delivery->requirements = (struct requirements){
		.route = &delivery->route,
		.stsfetch = stsfetch,
		.credentials = config->credentials,
		.is_tls_optional = is_tls_optional,
	};
	delivery->connection.memory = tls_memory_new();
	return delivery;
}

void
delivery_free(struct delivery *delivery)
{
	if (delivery == NULL)
		return;
	connection_close(&delivery->connection);
	tls_memory_free(delivery->connection.memory);
	free(delivery);
}
