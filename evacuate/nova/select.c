/* The selection: one more question about a server, and about its image or the aggregates where those tell. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "evacuate/nova/marks.h"
#include "evacuate/nova/select.h"

static const char *const where_names[] = {
	[SELECT_ALL] = "", [SELECT_METADATA] = "metadata", [SELECT_TAG] = "tag", [SELECT_FLAVOR] = "extra spec of its flavor",
	[SELECT_IMAGE] = "property of its image", [SELECT_AGGREGATE] = "metadata of an aggregate of its host",
};

static bool unreadable(struct compute *compute, int rc, const struct nova_server *server, enum request_select select)
{
	if (rc == -ENODATA)
		return nova_fail(&compute->failure, "auth", "whether %s is selected cannot be read: Nova does not show these "
				 "credentials the %s", server->name, where_names[select]);
	return nova_fail(&compute->failure, "api", "whether %s is selected cannot be read: the answer has no %s that could be read",
			 server->name, where_names[select]);
}

static bool image_look(struct compute *compute, const struct nova_server *server, const char *id,
		       const struct nova_wanted *wanted, struct nova_marks *ret)
{
	char path[64];
	struct http_answer answer;
	int rc;

	snprintf(path, sizeof(path), "/v2/images/%s", id);
	if (!compute_text_get(compute, true, path, &answer)) {
		struct nova_failure failure = compute->failure;

		/* Whoever asks does not mistake this for the server's own end. */
		nova_fail(&compute->failure, failure.status == 404 ? "api" : failure.error_class,
			  "whether %s is selected cannot be read from its image: %.1200s", server->name, failure.text);
		return false;
	}
	rc = nova_marks_image(answer.body, answer.len, wanted, ret);
	http_answer_free(&answer);
	return rc ? unreadable(compute, rc, server, SELECT_IMAGE) : true;
}

static bool server_look(struct compute *compute, const struct request *req, const struct nova_server *server,
			const struct nova_wanted *wanted, struct nova_marks *ret)
{
	enum request_select select = req->nova.select;
	char path[64], image[37];
	struct http_answer answer;
	int rc;

	snprintf(path, sizeof(path), "/servers/%s", req->uuid);
	if (!compute_text_get(compute, false, path, &answer))
		return false;
	rc = select == SELECT_IMAGE ? nova_image_parse(answer.body, answer.len, image) :
		nova_marks_server(answer.body, answer.len, select, wanted, ret);
	http_answer_free(&answer);
	if (rc)
		return unreadable(compute, rc, server, select);
	return select != SELECT_IMAGE || !image[0] || image_look(compute, server, image, wanted, ret);
}

static bool aggregates_look(struct compute *compute, const struct nova_server *server, const struct nova_wanted *wanted,
			    struct nova_marks *ret)
{
	struct http_answer answer;
	int rc;

	if (!compute_text_get(compute, false, "/os-aggregates", &answer))
		return false;
	rc = nova_marks_aggregates(answer.body, answer.len, server->host, wanted, ret);
	http_answer_free(&answer);
	return rc ? unreadable(compute, rc, server, SELECT_AGGREGATE) : true;
}

bool nova_select(struct compute *compute, const struct request *req, const struct nova_server *server, bool *ret,
		 char why[NOVA_SELECT_WHY_SIZE])
{
	const struct nova_wanted wanted = { req->nova.select_key, req->nova.select_value };
	enum request_select select = req->nova.select;
	struct nova_marks marks = { 0 };

	*ret = select == SELECT_ALL || req->by_hand;
	if (*ret)
		return true;
	if (select == SELECT_AGGREGATE ? !aggregates_look(compute, server, &wanted, &marks) :
	    !server_look(compute, req, server, &wanted, &marks))
		return false;
	*ret = marks.selected;
	if (marks.found)
		snprintf(why, NOVA_SELECT_WHY_SIZE, "[nova] select = %s, and the %s %.60s is %s, not %.60s",
			 request_select_name(select), where_names[select], wanted.key, marks.value, wanted.value);
	else
		snprintf(why, NOVA_SELECT_WHY_SIZE, "[nova] select = %s, and there is no %s %.60s",
			 request_select_name(select), where_names[select], wanted.key);
	return true;
}
