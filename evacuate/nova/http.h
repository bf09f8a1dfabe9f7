/*
 * One HTTP request and its answer, by libcurl: the one file that calls it. Connections are kept between the calls of a process. Nothing
 * is repeated here: only who asks knows whether that is safe.
 */
#ifndef HAMON_EVACUATE_NOVA_HTTP_H
#define HAMON_EVACUATE_NOVA_HTTP_H

#include <stddef.h>
#include <stdint.h>

#define HTTP_TOKEN_SIZE 8192     /* Keystone's limit of a header */
#define HTTP_ERROR_SIZE 512
#define HTTP_ID_SIZE 64

struct http;

/* Files of the authority, and of a client's own certificate; "" for none, never NULL. */
struct http_options {
	const char *cacert;
	const char *cert;
	const char *key;
};

enum http_end {
	HTTP_ANSWERED,
	HTTP_NOT_SENT,  /* there was no connection: nobody has seen the request */
	HTTP_UNUSABLE,  /* the same, and another try would end like it: a wrong address, a certificate that is not verified */
	HTTP_LOST,      /* it was sent, and may have had its effect: read before it is repeated */
};

struct http_answer {
	enum http_end end;
	unsigned int status;             /* of HTTP_ANSWERED */
	char *body;                      /* never NULL once answered; free it with http_answer_free */
	size_t len;
	uint64_t retry_after_ms;         /* 0: not said */
	char token[HTTP_TOKEN_SIZE];     /* X-Subject-Token, "" for none */
	char request_id[HTTP_ID_SIZE];   /* X-Openstack-Request-Id, "" for none */
	char error[HTTP_ERROR_SIZE];     /* of what is not HTTP_ANSWERED */
};

struct http_request {
	const char *method;
	const char *url;
	const char *body;                /* JSON, or NULL */
	const char *token;               /* or NULL */
	const char *microversion;        /* "compute 2.93", or NULL */
	uint64_t timeout_ms;             /* of the whole */
};

/* NULL without memory or libcurl. Options are copied. */
struct http *http_new(const struct http_options *options);
void http_free(struct http *http);

/* Fills *ret in any case; it is to be freed in any case. */
void http_call(struct http *http, const struct http_request *request, struct http_answer *ret);
void http_answer_free(struct http_answer *answer);

#endif
