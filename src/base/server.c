/*-------------------------------------------------------------------------
 *
 * server.c
 *	  What every statement asks the server: the table of addresses.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#define PGV_SERVER_ITSELF
#include "base/server.h"

#define PGV_SERVER_ADDRESS(name) .name##_ = &name,

/* "used": else the compiler sees that nobody writes to it, and takes the names themselves */
PGV_HOT_DATA __attribute__((used)) PgvServer pgv_server = {PGV_SERVER_NAMES(PGV_SERVER_ADDRESS)};
