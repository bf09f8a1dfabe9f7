/* The tables of hamonctl, printed from replies of hamond. */
#ifndef HAMON_CTL_VIEW_H
#define HAMON_CTL_VIEW_H

#include <stdio.h>
#include <json-c/json_object.h>

#include "hamon/common/cli.h"
#include "hamon/ctl/findings.h"

/* One line: all is well, or what is wrong. */
void view_headline(FILE *out, const struct term *term, struct json_object *status, const struct findings *findings);
void view_cluster(FILE *out, const struct term *term, struct json_object *status);
void view_findings(FILE *out, const struct term *term, const struct findings *findings);
void view_hosts(FILE *out, const struct term *term, struct json_object *status, size_t rows_max);
void view_devices(FILE *out, const struct term *term, struct json_object *status, size_t rows_max);
/* Those that need attention first. */
void view_instances(FILE *out, const struct term *term, struct json_object *status, size_t rows_max);

/* Records as a table: with their numbers, or with the time since the first one. */
enum view_records_kind { VIEW_NUMBERED, VIEW_TIMELINE };
void view_records(FILE *out, const struct term *term, struct json_object *records, enum view_records_kind kind);

/* One record as a line of text; brief: with the time of day only. */
void view_record_line(FILE *out, const struct term *term, struct json_object *record, bool brief);

/* An array field of obj, or NULL; its length (0 for NULL); its entry i. */
struct json_object *view_array(struct json_object *obj, const char *key);
size_t view_length(struct json_object *array);
struct json_object *view_at(struct json_object *array, size_t i);

/* One word for what an instance does, and how well that is; the smaller the rank, the more it needs attention. */
const char *view_instance_state(struct json_object *instance, enum term_style *ret_style, int *ret_rank);

#endif
