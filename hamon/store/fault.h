/* Why something of the store did not work: a class for programs and a sentence for people. */
#ifndef HAMON_STORE_FAULT_H
#define HAMON_STORE_FAULT_H

/*
 * The classes:
 *   bad-request  the request itself is wrong; repeating it is useless
 *   full, io, busy, memory
 *                the surroundings; the store keeps what it was given and tries again
 *   corrupt      the file is damaged, or is no store of hamon; it is never written again
 *   emptied      a store was here, and is gone or is another one; a person must decide
 *   version      written by a hamon that this one does not know
 *   locked       another process has this store
 */
struct store_fault {
	const char *error_class; /* static text */
	char text[600];
};

void store_fault_set(struct store_fault *fault, const char *error_class, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
