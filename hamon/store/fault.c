/* Why something of the store did not work. */
#include <stdarg.h>
#include <stdio.h>

#include "hamon/store/fault.h"

void store_fault_set(struct store_fault *fault, const char *error_class, const char *format, ...)
{
	va_list args;

	fault->error_class = error_class;
	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
}
