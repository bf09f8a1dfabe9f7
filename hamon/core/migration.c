/* Live migrations, as the coordinator sees them: two hosts may have the guest, until it is known which one. */
#include "hamon/core/state.h"

/* What a host with a hung libvirtd reported before says nothing of now. */
static bool host_knows_instances(const struct host *host)
{
	return host_is_alive(host) && host->instances_known && host->report.libvirt_ok;
}

void migration_evaluate(struct core *core, struct instance *inst)
{
	int source = host_slot(core, inst->place.owner), target = host_slot(core, inst->place.joint);
	bool source_over, target_over;
	uint64_t listed_from_ms;

	if (source < 0 || target < 0)
		return;
	/*
	 * A daemon that stood still is a member with old news, and with its next word it may not have read yet what happened meanwhile. So
	 * only the news itself that the guest has left ends its part, or a whole list of much later; and that it left nothing on
	 * its target, only such a list.
	 */
	listed_from_ms = inst->joint_since_ms + JOINT_SETTLE_MS;
	source_over = host_epoch_is_dead(&core->hosts[source], inst->place.owner_epoch) ||
		(host_knows_instances(&core->hosts[source]) && inst->state[source] == INSTANCE_ABSENT &&
		 ((inst->left_ms && inst->left_ms >= inst->joint_since_ms) ||
		  core->hosts[source].listed_ms >= listed_from_ms));
	target_over = host_epoch_is_dead(&core->hosts[target], core->hosts[target].fact.epoch) ||
		(host_knows_instances(&core->hosts[target]) && inst->state[target] == INSTANCE_ABSENT &&
		 core->hosts[target].listed_ms >= listed_from_ms);
	/* What an earlier run of the target's daemon reported says nothing: that host may have failed in between. */
	if (source_over && inst->state[target] == INSTANCE_RUNNING && !target_over &&
	    host_knows_instances(&core->hosts[target])) {
		inst->place.owner = inst->place.joint;
		inst->place.home = inst->place.joint;
		inst->place.owner_epoch = core->hosts[target].fact.epoch;
		inst->place.joint = 0;
		inst->place.generation++;
		stage_place(core, inst);
		note_stage(core, "instance-migrated", NOTE_INFO, NULL, &core->hosts[target], inst,
			   "%s was migrated to %s", LABEL(inst), core->hosts[target].config.name);
	} else if (target_over) {
		inst->place.joint = 0;
		stage_place(core, inst);
	}
}
