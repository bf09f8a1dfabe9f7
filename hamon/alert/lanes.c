/* The agents and how far each has got. */
#include <stdlib.h>
#include <string.h>

#include "hamon/alert/lanes.h"
#include "hamon/common/json.h"

uint32_t alert_lanes_mask(const struct alert_lanes *lanes)
{
	uint32_t mask = 0;

	for (unsigned int i = 0; i < ALERT_LANES_MAX; i++)
		mask |= lanes->lanes[i].used ? 1u << i : 0;
	return mask;
}

static bool agent_is(const struct alert_agent *agent, const char *path, const char *recipient)
{
	return !strcmp(agent->path, path) && !strcmp(agent->recipient, recipient);
}

static struct alert_lane *lane_find(struct alert_lanes *lanes, const char *path, const char *recipient)
{
	for (unsigned int i = 0; i < ALERT_LANES_MAX; i++)
		if (lanes->lanes[i].used && agent_is(&lanes->lanes[i].agent, path, recipient))
			return &lanes->lanes[i];
	return NULL;
}

static void agent_swap(struct alert_agent *a, struct alert_agent *b)
{
	struct alert_agent t = *a;

	*a = *b;
	*b = t;
}

static void lanes_leave(struct alert_lanes *lanes, struct alert_agents *found,
			void (*gone)(void *user, unsigned int lane), void *user)
{
	for (unsigned int i = 0; i < ALERT_LANES_MAX; i++) {
		struct alert_lane *lane = &lanes->lanes[i];
		bool stays = false;

		for (size_t k = 0; k < found->n && lane->used; k++)
			stays = stays || agent_is(&lane->agent, found->agents[k].path, found->agents[k].recipient);
		if (!lane->used || stays)
			continue;
		gone(user, i);
		lane->used = false;
		lanes->changed = true;
	}
}

/* A free lane; one whose last agent does not die stays taken. */
static struct alert_lane *lane_free_find(struct alert_lanes *lanes)
{
	for (unsigned int i = 0; i < ALERT_LANES_MAX; i++)
		if (!lanes->lanes[i].used && !lanes->lanes[i].running)
			return &lanes->lanes[i];
	return NULL;
}

void alert_lanes_set(struct alert_lanes *lanes, struct alert_agents *found,
		     void (*gone)(void *user, unsigned int lane), void *user)
{
	lanes_leave(lanes, found, gone, user);
	for (size_t k = 0; k < found->n; k++) {
		struct alert_agent *agent = &found->agents[k];
		struct alert_lane *lane = lane_find(lanes, agent->path, agent->recipient);

		if (!lane) {
			lane = lane_free_find(lanes);
			if (!lane)
				continue;
			agent_swap(&lane->agent, agent);
			lane->used = lanes->changed = true;
			lane->item = NULL;
			lane->retry_ms = lane->attempted = 0;
			lane->attempts = lane->failures = 0;
		} else {
			agent_swap(&lane->agent, agent); /* its options may be new */
		}
	}
	alert_agents_free(found);
}

char *alert_lanes_text(const struct alert_lanes *lanes, const struct alert_queue *queue)
{
	struct json_object *obj = json_object_new_object(), *list = json_object_new_array();
	char *text;

	for (unsigned int i = 0; i < ALERT_LANES_MAX; i++) {
		const struct alert_lane *lane = &lanes->lanes[i];
		struct json_object *item;

		if (!lane->used)
			continue;
		item = json_object_new_object();
		json_put_string(item, "agent", lane->agent.path);
		json_put_string(item, "recipient", lane->agent.recipient);
		json_put_u64(item, "done", alert_queue_lane_done(queue, i));
		json_put_u64(item, "attempted", lane->attempted);
		json_put_u64(item, "attempts", lane->attempts);
		json_object_array_add(list, item);
	}
	json_object_object_add(obj, "lanes", list);
	text = strdup(json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PLAIN));
	json_object_put(obj);
	return text;
}

static void lane_parse(struct alert_lanes *lanes, struct json_object *item, uint64_t ret_done[ALERT_LANES_MAX])
{
	const char *path = json_string_or(item, "agent", ""), *recipient = json_string_or(item, "recipient", "");
	struct alert_lane *lane = lane_find(lanes, path, recipient);
	uint64_t done;

	if (!lane)
		return;
	ret_done[lane - lanes->lanes] = json_get_u64(item, "done", INT64_MAX, &done) ? 0 : done;
	lane->attempted = json_u64_or(item, "attempted", 0);
	lane->attempts = (unsigned int)(json_u64_or(item, "attempts", 0) & 0xff);
}

void alert_lanes_parse(struct alert_lanes *lanes, const char *text, uint64_t ret_done[ALERT_LANES_MAX])
{
	struct json_object *obj = NULL, *list;
	bool known = text && !json_parse(text, strlen(text), &obj) && !json_get_array(obj, "lanes", &list);

	for (unsigned int i = 0; i < ALERT_LANES_MAX; i++)
		ret_done[i] = known ? UINT64_MAX : 0;
	for (size_t i = 0; known && i < json_object_array_length(list); i++)
		lane_parse(lanes, json_object_array_get_idx(list, i), ret_done);
	json_object_put(obj);
}
