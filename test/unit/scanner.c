/*-------------------------------------------------------------------------
 *
 * scanner.c
 *	  If this fails, tokens are not cut as the server cuts them: literals show
 *	  as text, or text vanishes as a literal or a comment.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

static const NormalCase strings[] = {
	{"SELECT 'x'", "SELECT $1"},
	{"SELECT ''", "SELECT $1"},
	{"SELECT 'it''s', b", "SELECT $1, b"},
	{"SELECT '''', b", "SELECT $1, b"},
	{"SELECT 'a\\', b", "SELECT $1, b"},
	{"SELECT '/* no comment', '*/'", "SELECT $1, $2"},
	{"SELECT '-- no comment', b", "SELECT $1, b"},
	{"SELECT '\"', b, '\"'", "SELECT $1, b, $2"},
	{"SELECT E'a\\'b', c", "SELECT $1, c"},
	{"SELECT e'a\\\\', c", "SELECT $1, c"},
	{"SELECT E'a''b\\'''', c", "SELECT $1, c"},
	{"SELECT N'x', n'it''s', c", "SELECT $1, $2, c"},
	{"SELECT B'01', b'1', X'1F', x'ab'", "SELECT $1, $2, $3, $4"},
	{"SELECT B'01''10'", "SELECT $1 $2"},
	{"SELECT U&'d\\0061ta', c", "SELECT $1, c"},
	{"SELECT u&'d!0061ta' UESCAPE '!', c", "SELECT $1, c"},
	{"SELECT U&'x' /* c */ uescape\n'''' , c", "SELECT $1 , c"},
	{"SELECT U&'x' uescapes", "SELECT $1 uescapes"},
	{"SELECT U& 'x', u & 'y'", "SELECT U& $1, u & $2"},
	{"SELECT abcE'x\\', b", "SELECT abcE $1, b"},
	{"SELECT 'a' 'b'", "SELECT $1 $2"},
	{"SELECT 'a'\n'b', c", "SELECT $1, c"},
	{"SELECT 'a' -- no\n\t -- no\r\n 'b', c", "SELECT $1, c"},
	{"SELECT 'a' /* no */\n'b'", "SELECT $1 $2"},
	{"SELECT 'a' -- 'x'\n, 'b'", "SELECT $1 , $2"},
	{"SELECT E'a'\n'\\'b', c", "SELECT $1, c"},
	{"SELECT 'a'\n'\\', c", "SELECT $1, c"},
	{"SELECT 'a'\nE'\\'b', c", "SELECT $1 $2, c"}
};

static const NormalCase dollars[] = {
	{"SELECT $$x$$, b", "SELECT $1, b"},
	{"SELECT $$it's$$, b", "SELECT $1, b"},
	{"SELECT $a$ $$ $b$ $A$ $a$, b", "SELECT $1, b"},
	{"SELECT $a$x$b$a$, c", "SELECT $1, c"},
	{"SELECT $a1_\xc3\xa9$ $a$ $a1_\xc3\xa9$, c", "SELECT $1, c"},
	{"SELECT $$$, b", "SELECT $1"},
	{"SELECT $a $b$ c$ $b$, d", "SELECT $a $1, d"},
	{"SELECT a$b, a$$b$$ FROM t", "SELECT a$b, a$$b$$ FROM t"},
	{"SELECT $1a$, b", "SELECT $1, b"},
	{"SELECT $1$a$ x $a$", "SELECT $1 $2"},
	{"SELECT /* $$ */ a, $$ /* $$", "SELECT a, $1"},
	{"SELECT a -- $$\n, b", "SELECT a , b"}
};

static const NormalCase comments[] = {
	{"SELECT a -- c", "SELECT a"},
	{"SELECT a --", "SELECT a"},
	{"-- c\nSELECT a", "SELECT a"},
	{"-- c\rSELECT a", "SELECT a"},
	{"/* c */ SELECT/**/a/***/,/* ' */b", "SELECT a , b"},
	{"/*+ SeqScan(t) */ SELECT a FROM t", "SELECT a FROM t"},
	{"SELECT /* a /* b */ c */ d", "SELECT d"},
	{"SELECT /*/* */*/ d", "SELECT d"},
	{"SELECT /*/ x */ d", "SELECT d"},
	{"SELECT /***/ d /*****/", "SELECT d"},
	{"SELECT a /* c", "SELECT a"},
	{"SELECT a /* /* */ c", "SELECT a"},
	{"SELECT a /*k='v',k2='it\\'s'*/", "SELECT a"},
	{"SELECT 5-- 6\n-7", "SELECT $1 -$2"},
	{"SELECT a-/* */-5", "SELECT a- $1"},
	{"SELECT a+--\n5", "SELECT a+ $1"},
	{"SELECT a @--\n5, a @/* */5", "SELECT a @ $1, a @ $2"},
	{"SELECT 4/-- \n5", "SELECT $1/ $2"},
	{"SELECT 4//**/5", "SELECT $1/ $2"},
	{"SELECT a*/* b */c", "SELECT a* c"},
	{" \t\n\v\f\rSELECT\t \na\n", "SELECT a"},
	{"", ""},
	{" ", ""},
	{"-- c", ""},
	{"/* c */", ""}
};

static const NormalCase numbers[] = {
	{"SELECT 1, 23, 1.5, .5, 5., 1e5, 1E+5, 1.5e-3, .5e3, 5.e2",
	"SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10"},
	{"SELECT 1_000, 1_0.0_1e1_0, 0x1F, 0o17, 0b01, 0x_ff",
	"SELECT $1, $2, $3, $4, $5, $6"},
	{"SELECT 1..10, a[1:2]", "SELECT $1..$2, a[$3:$4]"},
	{"SELECT 1...5", "SELECT $1..$2"},
	{"SELECT 1.2.3", "SELECT $1 $2"},
	{"SELECT 1a, 1_a, 1.5a$, 1ea, 0xg, 5.x", "SELECT $1, $2, $3, $4, $5, $6"},
	{"SELECT 1e-, 2", "SELECT $1-, $2"},
	{"SELECT 1e+x", "SELECT $1+x"},
	{"SELECT t1, _1, a1b2", "SELECT t1, _1, a1b2"},
	{"SELECT x.5", "SELECT x $1"},
	{"SELECT x.y5, x.\"5\"", "SELECT x.y5, x.\"5\""},
	{"SELECT $1, $2a, $12_, $3", "SELECT $1, $4, $5, $3"},
	{"SELECT $1234567890, 5", "SELECT $1, $2"},
	{"SELECT 1$1", "SELECT $2 $1"}
};

static const NormalCase operators[] = {
	{"SELECT a=-5, a<-5, a>=-5, a<>-5", "SELECT a=$1, a<$2, a>=$3, a<>$4"},
	{"SELECT a @-5, a |-b", "SELECT a @-$1, a |-b"},
	{"SELECT a =- b, a *+- b", "SELECT a =- b, a *+- b"},
	{"SELECT x->>'k', x->1, x->-1, x#>'{a}'", "SELECT x->>$1, x->$2, x->$3, x#>$4"},
	{"SELECT x @> '{}', x ?| y, x && y", "SELECT x @> $1, x ?| y, x && y"},
	{"SELECT 'x'::date, f(a => 1, b := 2)", "SELECT $1::date, f(a => $2, b := $3)"},
	{"SELECT a::int-5, a.b.c", "SELECT a::int-$1, a.b.c"},
	{"SELECT |/ 25, @ -5, ~1", "SELECT |/ $1, @ $2, ~$3"},
	{"SELECT a OPERATOR(pg_catalog.+) 5", "SELECT a OPERATOR(pg_catalog.+) $1"},
	{"SELECT a %% 5 ^ 2", "SELECT a %% $1 ^ $2"}
};

static const NormalCase names[] = {
	{"SELECT \"authors\".\"id\" FROM \"authors\" WHERE \"authors\".\"id\" = $1",
	"SELECT \"authors\".\"id\" FROM \"authors\" WHERE \"authors\".\"id\" = $1"},
	{"SELECT \"a\"\"b\", \"it's\", \"--\", \"/*\"",
	"SELECT \"a\"\"b\", \"it's\", \"--\", \"/*\""},
	{"SELECT U&\"d\\0061t\", u&\"x\" UESCAPE '!'",
	"SELECT U&\"d\\0061t\", u&\"x\" UESCAPE $1"},
	{"SELECT \"a  b\"  FROM  t", "SELECT \"a  b\" FROM t"},
	{"SELECT \xc3\xa9t\xc3\xa9, Stra\xc3\x9f\x65", "SELECT \xc3\xa9t\xc3\xa9, Stra\xc3\x9f\x65"},
	{"SELECT 'x'\"y\", 'x'y, 5 y", "SELECT $1\"y\", $2 y, $3 y"},
	{"SELECT 'x'u&\"y\"", "SELECT $1 u&\"y\""},
	{"SELECT'x'FROM t", "SELECT $1 FROM t"},
	{"SELECT\"x\"FROM t", "SELECT\"x\"FROM t"},
	{"SELECT \\ { } `", "SELECT \\ { } `"},
	{"SELECT \x01 \x7f", "SELECT ? ?"}
};

/* What never ends is a literal. */
static const NormalCase unended[] = {
	{"SELECT a, 'secret", "SELECT a, $1"},
	{"SELECT a, '", "SELECT a, $1"},
	{"SELECT a, 'secret''", "SELECT a, $1"},
	{"SELECT a, E'secret\\", "SELECT a, $1"},
	{"SELECT a, E'secret\\'", "SELECT a, $1"},
	{"SELECT a, U&'secret", "SELECT a, $1"},
	{"SELECT a, 'x'\n'secret", "SELECT a, $1"},
	{"SELECT a, $$secret", "SELECT a, $1"},
	{"SELECT a, $x$secret$x", "SELECT a, $1"},
	{"SELECT a, \"secret", "SELECT a, $1"},
	{"SELECT a, U&\"secret", "SELECT a, $1"},
	{"SELECT a, X'secret", "SELECT a, $1"},
	{"SELECT U&'x' UESCAPE 'secret", "SELECT $1"}
};

/* With standard_conforming_strings off, a backslash escapes in '...' too. */
static const NormalCase old_strings[] = {
	{"SELECT 'a\\'secret', b", "SELECT $1, b"},
	{"SELECT 'a\\\\', b", "SELECT $1, b"},
	{"SELECT N'a\\'secret', b", "SELECT $1, b"},
	{"SELECT 'a'\n'\\'secret', b", "SELECT $1, b"},
	{"SELECT B'\\', b", "SELECT $1, b"},
	{"SELECT U&'\\0061', b", "SELECT $1, b"},
	{"SELECT $$\\$$, b", "SELECT $1, b"},
	{"SELECT \"\\\", b", "SELECT \"\\\", b"},
	{"SELECT 'secret\\", "SELECT $1"}
};

void
pgv_unit_scanner(void)
{
	CHECK_TEXTS(strings);
	CHECK_TEXTS(dollars);
	CHECK_TEXTS(comments);
	CHECK_TEXTS(numbers);
	CHECK_TEXTS(operators);
	CHECK_TEXTS(names);
	CHECK_TEXTS(unended);
	for (int i = 0; i < (int) lengthof(old_strings); i++)
		pgv_unit_check_text(__FILE__, __LINE__, false,
							old_strings[i].sql, old_strings[i].text);
}
