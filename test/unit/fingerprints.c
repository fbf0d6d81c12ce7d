/*-------------------------------------------------------------------------
 *
 * fingerprints.c
 *	  If this fails, fingerprints are not what earlier releases, other
 *	  machines or saved statistics have for the same statement.  The values
 *	  are part of the interface: never adapt them to the code.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <stdio.h>

typedef struct Golden
{
	const char *sql;
	uint64		fingerprint;
} Golden;

static const Golden goldens[] = {
	{"", UINT64CONST(0xefd01f60ba992926)},
	{"SELECT 1", UINT64CONST(0xd9deef0592162808)},
	{"SELECT \"authors\".* FROM \"authors\" WHERE \"authors\".\"id\" = $1 LIMIT $2",
	UINT64CONST(0x9c4c9f4ef4aa32ab)},
	{"SELECT a FROM T WHERE b IN (1, 2, 3) AND c <> 'x' ORDER BY 1 DESC",
	UINT64CONST(0x22c93ce9a343281b)},
	{"SELECT a FROM t WHERE b NOT IN ($1) AND c != -5 -- c", UINT64CONST(0xa832882892f33c41)},
	{"INSERT INTO t (a, b) VALUES (1, 'x'), (2, f(3)), (4, f(5)) RETURNING a",
	UINT64CONST(0x056fdc182367933c)},
	{"SELECT * FROM (VALUES ((VALUES (1), (2)))) v", UINT64CONST(0x9ffac540f2a40040)},
	{"SELECT ARRAY[1, 2]::int[], x->>'k', U&\"X\" FROM t", UINT64CONST(0x0e347fb20249d915)},
	{"UPDATE Tab SET \xc3\x89t\xc3\x89 = NULL WHERE x IS NOT NULL;",
	UINT64CONST(0xdd3e87444b8085e1)},
	{"VALUES (1", UINT64CONST(0x55105e586259bfcd)},
	{"VALUES (1; SELECT a", UINT64CONST(0xd9aadf6dc642d085)},
	{"SAVEPOINT x", UINT64CONST(0x3501510f3804579d)},
	{"DO $x$ BEGIN PERFORM f('x'); END $x$", UINT64CONST(0x37fc5083f836e333)},
	{"ALTER ROLE x PASSWORD 'secret'", UINT64CONST(0xeb7287db38eac540)},
	{"SELECT 1; SELECT \x01 {", UINT64CONST(0xaf52d6af808a4918)}
};

static const SameCase same[] = {
	{{"SELECT * FROM t WHERE a = 5", "SELECT * FROM t WHERE a = $1", "SELECT * FROM t WHERE a = '5'",
		"SELECT * FROM t WHERE a = -5", "SELECT * FROM t WHERE a = $7", "select  *from T where A=NULL;",
	"/* c */ SELECT * FROM t -- c\n WHERE a = E'\\''"}},
	{{"SELECT a <> 5", "SELECT a != 5", "SELECT a!=5"}},
	{{"SELECT \"A\"", "SELECT\"A\"", "SELECT /* c */ \"A\""}},
	{{"SELECT U&\"a\"", "SELECT u&\"a\""}},
	{{"SELECT 1; SELECT 2", "SELECT 1;;; SELECT 2", "SELECT 1 ; ; SELECT 2;"}},
	{{"", " ", ";", "-- c", "/* c */ ; ;"}}
};

static const char *const different[] = {
	"SELECT a FROM t", "SELECT b FROM t", "SELECT a FROM u", "SELECT \"a\" FROM t",
	"SELECT \"A\" FROM t", "SELECT a, a FROM t", "SELECT aa FROM t", "SELECT a a FROM t",
	"SELECT a.a FROM t", "SELECT 1 FROM t", "SELECT 1, 1 FROM t", "SELECT a + 1 FROM t",
	"SELECT a - 1 FROM t", "SELECT a <= 1 FROM t", "SELECT a < = 1 FROM t", "SELECT (a) FROM t",
	"SELECT a FROM t; SELECT a FROM t", "SELECT a IS NULL FROM t", "SELECT a IS TRUE FROM t",
	"SELECT a IS FALSE FROM t", "SELECT a::int FROM t", "SELECT a::text FROM t",
	"SELECT \x01 FROM t", "SELECT \x02 FROM t", "SELECT a\x01 FROM t", "SELECT U&\"a\" FROM t",
	"SELECT DISTINCT a FROM t", "SELECT a FROM t ORDER BY 1", "SELECT a FROM t ORDER BY 2", ""
};

void
pgv_unit_fingerprints(void)
{
	for (int i = 0; i < (int) lengthof(goldens); i++)
		CHECKF(pgv_unit_fingerprint(goldens[i].sql) == goldens[i].fingerprint,
			   "%016llx, not %016llx: %s",
			   (unsigned long long) pgv_unit_fingerprint(goldens[i].sql),
			   (unsigned long long) goldens[i].fingerprint, goldens[i].sql);
	CHECK_SAME(same);
	for (int i = 0; i < (int) lengthof(different); i++)
	{
		CHECKF(pgv_unit_fingerprint(different[i]) != 0, "%s", different[i]);
		for (int j = 0; j < i; j++)
			CHECK_DIFFERENT(different[j], different[i]);
	}
}
