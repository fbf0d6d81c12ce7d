/*-------------------------------------------------------------------------
 *
 * orm.c
 *	  Which ORM wrote a statement, and what its users do against N+1.
 *
 * An ORM writes its statements in one way: which keywords are in capitals,
 * what is quoted, how tables and columns get their aliases.
 *
 *	 ActiveRecord	SELECT "posts".* FROM "posts" WHERE "posts"."id" = $1 LIMIT $2
 *	 Django			SELECT "posts"."id", "posts"."title" FROM "posts" ... LIMIT 21
 *	 SQLAlchemy		SELECT posts.id AS posts_id FROM posts WHERE posts.id = $1
 *	 Sequelize		SELECT "id", "title" FROM "posts" AS "Post" WHERE "Post"."id" = $1
 *	 TypeORM		SELECT "Post"."id" AS "Post_id" FROM "posts" "Post" WHERE ...
 *	 Prisma			SELECT "public"."posts"."id" FROM "public"."posts" ... OFFSET $3
 *	 Hibernate		select p1_0.id,p1_0.title from posts p1_0 where p1_0.id=$1
 *	 Entity Fr.		SELECT p."Id", p."Title" FROM "Posts" AS p WHERE p."Id" = $1
 *	 Eloquent		select * from "posts" where "posts"."id" = $1 limit $2
 *	 GORM			SELECT * FROM "posts" WHERE "posts"."id" = $1 ORDER BY "posts"."id" LIMIT $2
 *	 Ecto			SELECT p0."id", p0."title" FROM "posts" AS p0 WHERE (p0."id" = $1)
 *	 Doctrine		SELECT t0.id AS id_1, t0.title AS title_2 FROM posts t0 WHERE t0.id = $1
 *
 * A statement is read into its traits: those that all columns of its result
 * have, its first table, its first condition, what stands behind.  Each ORM has
 * a rule over the traits; a rule must be such that nothing else is known to
 * write like it.  What several write alike has no name, unless the session's
 * application_name decides.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "collect/orm.h"

/* ----- ORMs ----- */

static const PgvOrm active_record = {
	"ActiveRecord", "includes or preload", "includes or preload",
	"a counter cache, or group(...).count for all", "insert_all"
};
static const PgvOrm django = {
	"Django", "select_related or prefetch_related", "prefetch_related",
	"annotate(Count(...))", "bulk_create"
};
static const PgvOrm sqlalchemy = {
	"SQLAlchemy", "joinedload or selectinload", "selectinload",
	"func.count() with group_by", "session.execute(insert(...), rows)"
};
static const PgvOrm sequelize = {
	"Sequelize", "include", "include", "count with group", "bulkCreate"
};
static const PgvOrm typeorm = {
	"TypeORM", "relations", "relations", "a count with groupBy", "insert with an array"
};
static const PgvOrm prisma = {
	"Prisma", "include", "include", "_count in select or include", "createMany"
};
static const PgvOrm hibernate = {
	"Hibernate", "JOIN FETCH, @EntityGraph or @BatchSize",
	"JOIN FETCH, @EntityGraph or @BatchSize", "a count with group by", NULL
};
static const PgvOrm entity_framework = {
	"Entity Framework", "Include", "Include", "a projection with Count()", NULL
};
static const PgvOrm eloquent = {
	"Laravel Eloquent", "with or load", "with or load", "withCount", NULL
};
static const PgvOrm gorm = {
	"GORM", "Preload or Joins", "Preload", "Count with Group", NULL
};
static const PgvOrm ecto = {
	"Ecto", "preload", "preload", "a count with group_by", NULL
};
static const PgvOrm doctrine = {
	"Doctrine", "a fetch join, or fetch: EAGER", "a fetch join", "COUNT with GROUP BY", NULL
};

/* ----- reading ----- */

typedef struct PgvName
{
	const char *start;			/* without the quotes */
	int			len;			/* 0: there is none */
	bool		quoted;
} PgvName;

static inline bool
is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
}

static bool
same(PgvName a, PgvName b)
{
	return a.len == b.len && a.quoted == b.quoted && a.len > 0 &&
		memcmp(a.start, b.start, a.len) == 0;
}

static bool
is_called(PgvName name, const char *what)
{
	return name.len == (int) strlen(what) && memcmp(name.start, what, name.len) == 0;
}

/* Go past this text, a blank before it being no matter. */
static bool
skip(const char **p, const char *what)
{
	const char *at = *p;
	size_t		len = strlen(what);

	while (*at == ' ')
		at++;
	if (strncmp(at, what, len) != 0 ||
		(is_word_char(what[len - 1]) && is_word_char(at[len])))
		return false;
	*p = at + len;
	return true;
}

static bool
read_name(const char **p, PgvName *name)
{
	const char *at = *p;

	while (*at == ' ')
		at++;
	name->quoted = (*at == '"');
	if (name->quoted)
		at++;
	name->start = at;
	while (name->quoted ? *at != '"' && *at != '\0' : is_word_char(*at))
		at++;
	name->len = at - name->start;
	if (name->len == 0 || (name->quoted && *at != '"'))
		return false;
	*p = name->quoted ? at + 1 : at;
	return true;
}

/* $1 with a cast, if there is one, of which *type is where its name begins. */
static bool
read_parameter(const char **p, const char **type)
{
	*type = NULL;
	if (!skip(p, "$"))
		return false;
	while (**p >= '0' && **p <= '9')
		(*p)++;
	if (skip(p, "::"))
	{
		*type = *p;
		while (is_word_char(**p))
			(*p)++;
	}
	return true;
}

/* A column with up to two names before it; "*" is a column without name. */
typedef struct PgvColumn
{
	PgvName		schema;
	PgvName		table;
	PgvName		name;
	bool		star;
} PgvColumn;

static bool
read_column(const char **p, PgvColumn *column)
{
	memset(column, 0, sizeof(*column));
	for (int i = 0; i < 3; i++)
	{
		if (skip(p, "*"))
		{
			column->star = true;
			column->schema = column->table;
			column->table = column->name;
			memset(&column->name, 0, sizeof(column->name));
			return true;
		}
		column->schema = column->table;
		column->table = column->name;
		if (!read_name(p, &column->name))
			return false;
		if (**p != '.')
			return **p != '(';
		(*p)++;
	}
	return false;
}

/* ----- traits ----- */

/* Of a column of the result. */
#define OF_TABLE		0x0001	/* t.c */
#define OF_SCHEMA		0x0002	/* s.t.c */
#define BARE			0x0004	/* c */
#define STAR			0x0008
#define TABLE_QUOTED	0x0010
#define TABLE_PLAIN		0x0020
#define NAME_QUOTED		0x0040
#define NAME_PLAIN		0x0080
#define NO_ALIAS		0x0100
#define TABLE_ALIAS		0x0200	/* t.c AS t_c, quoted like it */
#define SERIAL_ALIAS	0x0400	/* t.c AS c_1 */
#define DOTTED_ALIAS	0x0800	/* t.c AS "t.c" */
#define OTHER_ALIAS		0x1000

typedef enum PgvResultShape
{
	PGV_SHAPE_OTHER,
	PGV_SHAPE_COLUMNS,
	PGV_SHAPE_COUNT,
	PGV_SHAPE_ONE				/* a constant */
} PgvResultShape;

typedef struct PgvTraits
{
	bool		upper;			/* keywords in capitals */
	PgvResultShape shape;
	unsigned	all;			/* traits that all columns have */
	unsigned	any;
	PgvColumn	first;			/* column of the result */
	bool		counts_lower;	/* count(...), not COUNT(...) */
	PgvName		alias;			/* of a count or constant */
	PgvName		schema;			/* of the first table */
	PgvName		table;
	PgvName		as;				/* its alias */
	bool		with_as;		/* written with AS */
	PgvColumn	compared;		/* by the first condition, with a parameter */
	int			brackets;		/* before it */
	bool		turned;			/* the parameter stands first */
	bool		upper_cast;		/* $1::INTEGER */
	bool		join_bracket;	/* ON (...) */
	const char *rest;			/* from the first condition on */
} PgvTraits;

/* Is it "table_column"? */
static bool
is_table_alias(PgvName alias, const PgvColumn *column)
{
	return alias.len == column->table.len + 1 + column->name.len &&
		alias.quoted == column->table.quoted &&
		memcmp(alias.start, column->table.start, column->table.len) == 0 &&
		alias.start[column->table.len] == '_' &&
		memcmp(alias.start + column->table.len + 1, column->name.start, column->name.len) == 0;
}

/* Does the name end in _, digits, and perhaps _ again (and more of both)? */
static bool
is_serial(PgvName name)
{
	int			i = name.len;
	bool		digits = false;

	if (name.quoted)
		return false;
	if (i > 0 && name.start[i - 1] == '_')
		i--;
	for (; i > 0 && name.start[i - 1] >= '0' && name.start[i - 1] <= '9'; i--)
		digits = true;
	return digits && i > 1 && name.start[i - 1] == '_';
}

static unsigned
column_traits(const PgvColumn *column, PgvName alias)
{
	unsigned	traits = 0;

	traits |= column->schema.len > 0 ? OF_SCHEMA : column->table.len > 0 ? OF_TABLE : BARE;
	if (column->table.len > 0)
		traits |= column->table.quoted ? TABLE_QUOTED : TABLE_PLAIN;
	traits |= column->star ? STAR : column->name.quoted ? NAME_QUOTED : NAME_PLAIN;
	if (alias.len == 0)
		traits |= NO_ALIAS;
	else if (column->table.len > 0 && is_table_alias(alias, column))
		traits |= TABLE_ALIAS;
	else if (alias.quoted && memchr(alias.start, '.', alias.len) != NULL)
		traits |= DOTTED_ALIAS;
	else
		traits |= is_serial(alias) ? SERIAL_ALIAS : OTHER_ALIAS;
	return traits;
}

static const char *
keyword(const PgvTraits *t, const char *upper, const char *lower)
{
	return t->upper ? upper : lower;
}

static bool
read_alias(const PgvTraits *t, const char **p, PgvName *alias)
{
	memset(alias, 0, sizeof(*alias));
	if (!skip(p, "AS") && !skip(p, "as"))
		return true;
	return read_name(p, alias);
}

/* COUNT(...): go to the bracket that closes it. */
static bool
read_count(PgvTraits *t, const char **p)
{
	int			depth = 0;

	t->counts_lower = skip(p, "count");
	if (!t->counts_lower && !skip(p, "COUNT"))
		return false;
	do
	{
		depth += (**p == '(') - (**p == ')');
		if (**p == '\0' || depth == 0)
			return false;
		(*p)++;
	} while (depth > 1 || **p != ')');
	(*p)++;
	t->shape = PGV_SHAPE_COUNT;
	return read_alias(t, p, &t->alias);
}

static bool
read_columns(PgvTraits *t, const char **p)
{
	PgvColumn	column;
	PgvName		alias;
	const char *type;

	if (read_count(t, p))
		return true;
	if (read_parameter(p, &type))
	{
		t->shape = PGV_SHAPE_ONE;
		return read_alias(t, p, &t->alias);
	}
	t->shape = PGV_SHAPE_COLUMNS;
	t->all = ~0;
	do
	{
		unsigned	traits;

		if (!read_column(p, &column) || !read_alias(t, p, &alias))
			return false;
		if (t->any == 0)
			t->first = column;
		traits = column_traits(&column, alias);
		t->all &= traits;
		t->any |= traits;
	} while (skip(p, ","));
	return true;
}

static const char *const behind_table[] = {
	"WHERE", "JOIN", "INNER", "LEFT", "ORDER", "LIMIT", "CROSS", "RIGHT", "FULL",
	"where", "join", "inner", "left", "order", "limit", "cross", "right", "full", NULL
};

static bool
read_table(PgvTraits *t, const char **p)
{
	const char *before;

	if (!skip(p, keyword(t, "FROM", "from")) || !read_name(p, &t->table))
		return false;
	if (**p == '.')
	{
		(*p)++;
		t->schema = t->table;
		if (!read_name(p, &t->table))
			return false;
	}
	t->with_as = skip(p, keyword(t, "AS", "as"));
	before = *p;
	if (!read_name(p, &t->as))
		return !t->with_as;
	for (int i = 0; !t->as.quoted && behind_table[i] != NULL; i++)
	{
		if (is_called(t->as, behind_table[i]))
		{
			*p = before;
			t->as.len = 0;
		}
	}
	return true;
}

/* The next place of a word behind p, outside of quotes; NULL: none. */
static const char *
find_word(const char *p, const char *word)
{
	for (; *p != '\0'; p++)
	{
		const char *at = p;

		if (*p == '"')
		{
			p = strchr(p + 1, '"');
			if (p == NULL)
				return NULL;
		}
		else if (*p == ' ' && skip(&at, word))
			return at;
	}
	return NULL;
}

static void
read_condition(PgvTraits *t, const char *p)
{
	const char *on = find_word(p, keyword(t, "ON", "on"));
	const char *type;

	t->join_bracket = on != NULL && skip(&on, "(");
	p = find_word(p, keyword(t, "WHERE", "where"));
	t->rest = p != NULL ? p : "";
	if (p == NULL)
		return;
	while (skip(&p, "("))
		t->brackets++;
	t->turned = read_parameter(&p, &type);
	if (t->turned && !skip(&p, "="))
		return;
	if (!read_column(&p, &t->compared))
		memset(&t->compared, 0, sizeof(t->compared));
	else if (!t->turned && skip(&p, "="))
		(void) read_parameter(&p, &type);
	t->upper_cast = type != NULL && *type >= 'A' && *type <= 'Z';
}

static bool
read_select(PgvTraits *t, const char *p)
{
	memset(t, 0, sizeof(*t));
	t->upper = skip(&p, "SELECT");
	if (!t->upper && !skip(&p, "select"))
		return false;
	if (!read_columns(t, &p) || !read_table(t, &p))
		return false;
	read_condition(t, p);
	return true;
}

/* ----- rules ----- */

static inline bool
have(const PgvTraits *t, unsigned traits)
{
	return t->shape == PGV_SHAPE_COLUMNS && (t->all & traits) == traits;
}

/* The condition is on the first table, by the name that it goes by. */
static bool
compares_table(const PgvTraits *t)
{
	return same(t->compared.table, t->as.len > 0 ? t->as : t->table);
}

/* Letters, then digits: "a0". */
static bool
is_numbered(PgvName name, int letters, int digits)
{
	if (name.quoted || name.len < letters + digits)
		return false;
	for (int i = 0; i < name.len; i++)
	{
		bool		digit = name.start[i] >= '0' && name.start[i] <= '9';

		if (digit != (i >= letters) ||
			(!digit && (name.start[i] < 'a' || name.start[i] > 'z')))
			return false;
	}
	return name.len == letters + digits;
}

/* a1_0 of Hibernate 6, authors0_ of Hibernate 5. */
static bool
is_hibernate_alias(PgvName name)
{
	int			i = name.len;

	if (name.quoted || i < 3)
		return false;
	if (name.start[i - 1] == '_')
		return name.start[i - 2] >= '0' && name.start[i - 2] <= '9' && name.start[i - 3] != '_';
	while (i > 0 && name.start[i - 1] >= '0' && name.start[i - 1] <= '9')
		i--;
	return i < name.len && i > 2 && name.start[i - 1] == '_' &&
		name.start[i - 2] >= '0' && name.start[i - 2] <= '9';
}

/* The first table is called what it is, quoted. */
static bool
is_quoted_table(const PgvTraits *t)
{
	return t->table.quoted && t->schema.len == 0 && t->as.len == 0;
}

/*
 * The column of a SQLAlchemy statement is written with its table's name, or
 * with that and a number, "authors_1".
 */
static bool
is_sqlalchemy(const PgvTraits *t)
{
	if (!t->upper || t->table.quoted)
		return false;
	if (t->shape == PGV_SHAPE_COUNT)
		return t->counts_lower && is_serial(t->alias) && t->alias.len > 6 &&
			memcmp(t->alias.start, "count_", 6) == 0 && t->compared.table.len > 0;
	if (!have(t, OF_TABLE | TABLE_PLAIN) || (t->all & STAR) ||
		(t->as.len > 0 && !is_serial(t->as)))
		return false;
	if (t->all & TABLE_ALIAS)
		return true;
	return (t->all & (NO_ALIAS | TABLE_ALIAS)) && t->compared.table.len > 0 &&
		!t->compared.table.quoted && (t->turned || t->upper_cast);
}

static bool
is_typeorm(const PgvTraits *t)
{
	if (!t->upper || t->with_as || !t->as.quoted || t->as.len == 0)
		return false;
	if (t->shape == PGV_SHAPE_COUNT)
		return t->alias.quoted && is_called(t->alias, "cnt");
	return have(t, OF_TABLE | TABLE_QUOTED | NAME_QUOTED | TABLE_ALIAS);
}

static bool
is_sequelize(const PgvTraits *t)
{
	if (!t->upper || !t->with_as || !t->as.quoted || !t->table.quoted ||
		!t->compared.table.quoted)
		return false;
	if (t->shape == PGV_SHAPE_COUNT)
		return t->counts_lower && t->alias.quoted && is_called(t->alias, "count");
	return have(t, NAME_QUOTED) && !(t->any & (STAR | TABLE_PLAIN | OF_SCHEMA)) &&
		((t->all & BARE) || (t->any & DOTTED_ALIAS));
}

static bool
is_prisma(const PgvTraits *t)
{
	return t->upper && have(t, OF_SCHEMA | TABLE_QUOTED | NAME_QUOTED | NO_ALIAS) &&
		t->schema.quoted && t->as.len == 0 && t->compared.schema.quoted &&
		find_word(t->rest, "OFFSET") != NULL;
}

static bool
is_hibernate(const PgvTraits *t)
{
	return !t->upper && !t->with_as && is_hibernate_alias(t->as) &&
		(t->shape == PGV_SHAPE_COUNT ||
		 (have(t, OF_TABLE | TABLE_PLAIN) && is_hibernate_alias(t->first.table) &&
		  (t->all & (NO_ALIAS | SERIAL_ALIAS))));
}

static bool
is_entity_framework(const PgvTraits *t)
{
	return t->upper && t->with_as && is_numbered(t->as, 1, 0) && t->table.quoted &&
		have(t, OF_TABLE | TABLE_PLAIN | NAME_QUOTED) && t->brackets == 0 &&
		t->compared.name.quoted && !t->compared.table.quoted;
}

static bool
is_ecto(const PgvTraits *t)
{
	return t->upper && t->with_as && is_numbered(t->as, 1, 1) && t->table.quoted &&
		have(t, OF_TABLE | TABLE_PLAIN | NAME_QUOTED | NO_ALIAS) && t->brackets > 0 &&
		t->compared.name.quoted && !t->compared.table.quoted;
}

static bool
is_doctrine(const PgvTraits *t)
{
	return t->upper && !t->with_as && is_numbered(t->as, 1, 1) && t->as.start[0] == 't' &&
		have(t, OF_TABLE | TABLE_PLAIN | NAME_PLAIN | SERIAL_ALIAS) && compares_table(t);
}

static bool
is_eloquent(const PgvTraits *t)
{
	return !t->upper && have(t, BARE | STAR | NO_ALIAS) && is_quoted_table(t) &&
		compares_table(t) && t->compared.name.quoted && t->brackets == 0 &&
		(find_word(t->rest, "limit") != NULL || find_word(t->rest, "is not null") != NULL);
}

static bool
is_gorm(const PgvTraits *t)
{
	const char *order = find_word(t->rest, "ORDER BY");
	PgvColumn	column;

	return t->upper && have(t, BARE | STAR | NO_ALIAS) && is_quoted_table(t) &&
		compares_table(t) && t->compared.name.quoted && t->brackets == 0 &&
		order != NULL && read_column(&order, &column) && same(column.table, t->table) &&
		skip(&order, "LIMIT");
}

static bool
is_active_record(const PgvTraits *t)
{
	if (!t->upper || !is_quoted_table(t) || t->brackets > 0 || !t->compared.table.quoted ||
		!t->compared.name.quoted || t->join_bracket)
		return false;
	if (t->shape == PGV_SHAPE_ONE)
		return !t->alias.quoted && is_called(t->alias, "one");
	return have(t, OF_TABLE | TABLE_QUOTED | STAR | NO_ALIAS) && same(t->first.table, t->table);
}

/* "T"."c" for each column, as Django writes it, and ActiveRecord at times. */
static bool
lists_quoted(const PgvTraits *t)
{
	return t->upper && is_quoted_table(t) && t->compared.table.quoted &&
		t->compared.name.quoted && t->brackets == 0 &&
		have(t, OF_TABLE | TABLE_QUOTED | NAME_QUOTED | NO_ALIAS);
}

static bool
is_django(const PgvTraits *t, long limit)
{
	if (!t->upper || !is_quoted_table(t) || !t->compared.table.quoted)
		return false;
	if (t->shape == PGV_SHAPE_COUNT)
		return t->alias.quoted && is_called(t->alias, "__count");
	if (t->shape == PGV_SHAPE_ONE)
		return t->alias.quoted && is_called(t->alias, "a");
	if (limit == 21)
		return have(t, OF_TABLE | TABLE_QUOTED | NAME_QUOTED) && t->brackets <= 1;
	return lists_quoted(t) && t->join_bracket;
}

/* ----- names of applications ----- */

static const char *const rubies[] = {
	"puma", "rails", "sidekiq", "unicorn", "passenger", "good_job", "solid_queue",
	"resque", "delayed_job", "ruby", NULL
};
static const char *const pythons[] = {
	"django", "gunicorn", "uwsgi", "celery", "manage.py", "daphne", "uvicorn",
	"python", NULL
};

static bool
names_any(const char *application, const char *const *words)
{
	for (; application != NULL && *words != NULL; words++)
	{
		size_t		len = strlen(*words);

		for (const char *p = application; *p != '\0'; p++)
		{
			size_t		i = 0;

			while (i < len && (p[i] | (p[i] >= 'A' && p[i] <= 'Z' ? 0x20 : 0)) == (*words)[i])
				i++;
			if (i == len && (p == application || !is_word_char(p[-1])))
				return true;
		}
	}
	return false;
}

/* What Django and ActiveRecord write alike. */
static const PgvOrm *
by_application(const char *application)
{
	bool		ruby = names_any(application, rubies);
	bool		python = names_any(application, pythons);

	if (ruby == python)
		return NULL;
	return ruby ? &active_record : &django;
}

/* ----- INSERT ----- */

/* INSERT INTO t (a, b) VALUES (...) RETURNING c: what tells is the spacing. */
static const PgvOrm *
orm_of_insert(const char *p, const char *application)
{
	const char *values;
	const char *returning;
	PgvColumn	table;
	PgvColumn	returned = {{0}};
	bool		upper_cast;
	bool		spaced;

	if (!skip(&p, "INSERT INTO") || (!read_column(&p, &table) && *p != '('))
		return NULL;
	spaced = (*p == ' ');
	values = find_word(p, "VALUES");
	if (values == NULL || !skip(&p, "("))
		return NULL;
	returning = find_word(values, "RETURNING");
	if (returning != NULL)
		(void) read_column(&returning, &returned);
	if (!table.name.quoted)
	{
		const char *cast = strstr(values, "::");

		upper_cast = cast != NULL && cast[2] >= 'A' && cast[2] <= 'Z';
		return returned.table.len > 0 && !returned.table.quoted && upper_cast ? &sqlalchemy : NULL;
	}
	if (table.table.quoted)
		return returned.schema.quoted ? &prisma : NULL;
	if (!spaced)
		return find_word(p, "VALUES") != NULL && strstr(values, "DEFAULT") != NULL ? &typeorm : NULL;
	if (strncmp(values, " (DEFAULT,$", 11) == 0)
		return &sequelize;
	if (strstr(p, "\",\"") != NULL || strstr(values, ",$") != NULL)
		return NULL;
	return returned.name.len > 0 ? by_application(application) : NULL;
}

/* ----- in all ----- */

const PgvOrm *
pgv_orm_of(const char *normal, const char *application, long limit)
{
	PgvTraits	t;

	if (!read_select(&t, normal))
		return orm_of_insert(normal, application);
	if (is_active_record(&t))
		return &active_record;
	if (is_django(&t, limit))
		return &django;
	if (is_sqlalchemy(&t))
		return &sqlalchemy;
	if (is_typeorm(&t))
		return &typeorm;
	if (is_sequelize(&t))
		return &sequelize;
	if (is_prisma(&t))
		return &prisma;
	if (is_hibernate(&t))
		return &hibernate;
	if (is_entity_framework(&t))
		return &entity_framework;
	if (is_ecto(&t))
		return &ecto;
	if (is_doctrine(&t))
		return &doctrine;
	if (is_eloquent(&t))
		return &eloquent;
	if (is_gorm(&t))
		return &gorm;
	if (lists_quoted(&t) ||
		(t.upper && t.shape == PGV_SHAPE_COUNT && !t.counts_lower && t.alias.len == 0 &&
		 is_quoted_table(&t) && compares_table(&t) && t.brackets == 0))
		return by_application(application);
	return NULL;
}
