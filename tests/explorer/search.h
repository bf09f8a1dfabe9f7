/* The search itself: every state within the bounds, breadth first, so that a violation has the shortest way to it. */
#ifndef HAMON_TESTS_EXPLORER_SEARCH_H
#define HAMON_TESTS_EXPLORER_SEARCH_H

#include "tests/explorer/model.h"

struct search_bounds {
	size_t depth;           /* moves from the start state */
	size_t states;          /* 0: no bound */
	double seconds;         /* 0: no bound */
	bool tell_deepest;      /* path is the way to the deepest state when nothing was violated */
};

struct search_result {
	size_t states, transitions, too_far;
	size_t settled;         /* states in which every incident is closed and nothing is under way */
	size_t quiet_states;    /* states of fault-free runs, beside those reached */
	size_t depth;           /* of the deepest state */
	size_t open;            /* states whose moves were not taken: beyond the depth, or no time left */
	size_t whole;           /* settled states with every fault of the bounds behind them */
	double seconds;
	bool found;             /* a violation: model_wrong says which, path is the way to it */
	bool in_quiet;          /* it came in the fault-free run that follows the path */
	struct move *path;      /* the caller frees it */
	size_t n_path;
};

/* After a normal boot: all hosts admitted, every instance runs on its owner. False when even that is violated. */
bool search_start(struct model *ret);
void search_run(const struct model *start, const struct search_bounds *bounds, bool verbose, struct search_result *ret);
/* A run without faults to its end; false (and model_wrong) when it has none. told is called before each move. */
bool search_quiet(struct model *m, size_t moves_max, void (*told)(const struct model *m, const struct move *move));

/* tell.c: moves as words and back; the name of a fault is that of its option. */
const char *fault_name(size_t fault);
void tell_move(const struct model *m, const struct move *move);
bool move_parse(const char *line, struct move *ret);
/* Prints the whole way, to be read and to be replayed; options first. */
void tell_path(const struct model *start, const struct search_result *result);
void tell_note(size_t host, const char *text);
extern void *tell_out; /* FILE * */

#endif
