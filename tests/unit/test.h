/* What a unit test needs: a check that names its place, stays on in every build and ends the test. */
#ifndef HAMON_TESTS_UNIT_TEST_H
#define HAMON_TESTS_UNIT_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(cond) do { \
	if (!(cond)) { \
		fprintf(stderr, "%s:%d: %s: not true: %s\n", __FILE__, __LINE__, __func__, #cond); \
		exit(1); \
	} \
} while (0)

#define CHECK_INT(got, expected) do { \
	long long got_ = (long long)(got), expected_ = (long long)(expected); \
	if (got_ != expected_) { \
		fprintf(stderr, "%s:%d: %s: %s is %lld, expected %lld\n", __FILE__, __LINE__, __func__, \
			#got, got_, expected_); \
		exit(1); \
	} \
} while (0)

#define CHECK_STR(got, expected) do { \
	const char *got_ = (got), *expected_ = (expected); \
	if (!got_ || strcmp(got_, expected_)) { \
		fprintf(stderr, "%s:%d: %s: %s is \"%s\", expected \"%s\"\n", __FILE__, __LINE__, __func__, \
			#got, got_ ? got_ : "(null)", expected_); \
		exit(1); \
	} \
} while (0)

#define RUN(test) do { test(); printf("ok %s\n", #test); } while (0)

#endif
