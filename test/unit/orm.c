/*-------------------------------------------------------------------------
 *
 * orm.c
 *	  If this fails, suggestions name the wrong ORM, or one where nobody knows.
 *
 * Statements as the ORMs send them (those with a "captured" were recorded by
 * test/orm), and others that look like them.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

typedef struct OrmCase
{
	const char *name;			/* NULL: none may be named */
	const char *sql;
	const char *application;
	long		limit;			/* as the plan has it; 0: -1 */
} OrmCase;

#define POSTS "SELECT \"posts\".\"id\", \"posts\".\"title\" FROM \"posts\" "

static const OrmCase cases[] = {
	/* captured */
	{"ActiveRecord", "SELECT \"authors\".* FROM \"authors\" WHERE \"authors\".\"id\" = $1 LIMIT $2"},
	{"ActiveRecord", "SELECT \"comments\".* FROM \"comments\" WHERE \"comments\".\"post_id\" = $1"},
	{"ActiveRecord", "SELECT \"tags\".* FROM \"tags\" INNER JOIN \"post_tags\" ON \"tags\".\"id\" = \"post_tags\".\"tag_id\" WHERE \"post_tags\".\"post_id\" = $1"},
	{"ActiveRecord", "SELECT 1 AS one FROM \"comments\" WHERE \"comments\".\"post_id\" = $1 LIMIT $2"},
	{"ActiveRecord", "SELECT \"legs\".* FROM \"legs\" WHERE \"legs\".\"chair_id\" = $1 ORDER BY \"legs\".\"id\" ASC LIMIT $2"},
	{"ActiveRecord", "SELECT COUNT(*) FROM \"comments\" WHERE \"comments\".\"post_id\" = $1", "puma: cluster worker 0: 123 [blog]"},
	{"ActiveRecord", POSTS "WHERE \"posts\".\"author_id\" = $1", "sidekiq 7.1.0 blog [1 of 5 busy]"},
	{"ActiveRecord", "INSERT INTO \"post_tags\" (\"post_id\", \"tag_id\") VALUES ($1, $2) RETURNING \"id\"", "bin/rails"},
	{NULL, "SELECT COUNT(*) FROM \"comments\" WHERE \"comments\".\"post_id\" = $1"},
	{NULL, POSTS "WHERE \"posts\".\"author_id\" = $1"},
	{NULL, POSTS "WHERE \"posts\".\"author_id\" = $1", "psql"},
	{NULL, POSTS "WHERE \"posts\".\"author_id\" = $1", "pumas and pythons of the zoo"},
	{NULL, "INSERT INTO \"post_tags\" (\"post_id\", \"tag_id\") VALUES ($1, $2) RETURNING \"id\""},
	/* Sequel; by hand; Objection; Bookshelf */
	{NULL, "SELECT \"authors\".* FROM \"authors\" WHERE (\"authors\".\"id\" = 1) LIMIT 1"},
	{NULL, "SELECT * FROM \"comments\" WHERE (\"comments\".\"post_id\" = 1)"},
	{NULL, "SELECT authors.* FROM authors WHERE authors.id = $1 LIMIT 1", "puma"},
	{NULL, "SELECT a.* FROM \"authors\" a WHERE a.id = $1"},
	{NULL, "select \"pets\".* from \"pets\" where \"pets\".\"ownerId\" in ($1)"},
	{NULL, "select \"authors\".* from \"authors\" where \"authors\".\"id\" = $1 limit $2"},

	/* captured */
	{"Django", "SELECT \"authors\".\"id\", \"authors\".\"name\" FROM \"authors\" WHERE \"authors\".\"id\" = 98 LIMIT 21", NULL, 21},
	{"Django", "SELECT \"posts\".\"id\", \"posts\".\"body\" FROM \"posts\" WHERE \"posts\".\"id\" = 1 LIMIT 21", NULL, 21},
	{"Django", "SELECT \"tags\".\"id\", \"tags\".\"name\" FROM \"tags\" INNER JOIN \"post_tags\" ON (\"tags\".\"id\" = \"post_tags\".\"tag_id\") WHERE \"post_tags\".\"post_id\" = 5"},
	{"Django", "SELECT COUNT(*) AS \"__count\" FROM \"comments\" WHERE \"comments\".\"post_id\" = 5"},
	{"Django", "SELECT 1 AS \"a\" FROM \"app_comment\" WHERE \"app_comment\".\"post_id\" = 5 LIMIT 1", NULL, 1},
	{"Django", "SELECT \"app_comment\".\"id\", \"app_comment\".\"post_id\" FROM \"app_comment\" WHERE \"app_comment\".\"post_id\" = 5", "gunicorn: worker [blog]"},
	{NULL, "SELECT \"app_comment\".\"id\", \"app_comment\".\"post_id\" FROM \"app_comment\" WHERE \"app_comment\".\"post_id\" = 5"},
	{NULL, POSTS "WHERE \"posts\".\"id\" = 1 LIMIT 20", NULL, 20},
	/* Diesel; by hand; Peewee */
	{NULL, "SELECT \"users\".\"id\", \"users\".\"name\" FROM \"users\" INNER JOIN \"posts\" ON (\"posts\".\"user_id\" = \"users\".\"id\") WHERE (\"users\".\"id\" = $1)"},
	{NULL, "SELECT id, name FROM authors WHERE id = 98 LIMIT 21", NULL, 21},
	{NULL, "SELECT \"t1\".\"id\", \"t1\".\"name\" FROM \"author\" AS \"t1\" WHERE (\"t1\".\"id\" = $1) LIMIT $2 OFFSET $3"},
	{NULL, "SELECT 1 AS \"x\" FROM \"app_comment\" WHERE \"app_comment\".\"post_id\" = 5 LIMIT 1"},

	/* captured */
	{"SQLAlchemy", "SELECT authors.id AS authors_id, authors.name AS authors_name FROM authors WHERE authors.id = 5"},
	{"SQLAlchemy", "SELECT comments.id AS comments_id, comments.post_id AS comments_post_id FROM comments WHERE 5 = comments.post_id"},
	{"SQLAlchemy", "SELECT comments.id, comments.body, comments.post_id FROM comments WHERE $1::INTEGER = comments.post_id"},
	{"SQLAlchemy", "SELECT authors.id, authors.name FROM authors WHERE authors.id = $1::INTEGER"},
	{"SQLAlchemy", "SELECT tags.id AS tags_id, tags.name AS tags_name FROM tags, post_tags WHERE 5 = post_tags.post_id AND tags.id = post_tags.tag_id"},
	{"SQLAlchemy", "SELECT count(comments.id) AS count_1 FROM comments WHERE comments.post_id = 5"},
	{"SQLAlchemy", "SELECT authors_1.id AS authors_1_id FROM authors AS authors_1 WHERE authors_1.id = $1::BIGINT"},
	{"SQLAlchemy", "INSERT INTO log (msg, ref) VALUES ($1::VARCHAR, $2::BIGINT) RETURNING log.id"},
	/* by hand */
	{NULL, "SELECT authors.id, authors.name FROM authors WHERE authors.id = $1"},
	{NULL, "SELECT id, name FROM authors WHERE id = $1::INTEGER"},
	{NULL, "SELECT a.id, a.name FROM authors a WHERE $1::INTEGER = a.id"},
	{NULL, "SELECT u.id AS u_id, u.name AS u_name FROM users u WHERE u.id = $1"},
	{NULL, "SELECT authors.id, authors.name FROM authors WHERE authors.id = $1::bigint"},
	{NULL, "SELECT count(comments.id) AS total FROM comments WHERE comments.post_id = 5"},
	{NULL, "select authors.id as authors_id from authors where authors.id = $1"},
	{NULL, "INSERT INTO log (msg, ref) VALUES ($1, $2) RETURNING id", "python"},

	/* captured */
	{"Sequelize", "SELECT \"id\", \"name\" FROM \"authors\" AS \"author\" WHERE \"author\".\"id\" = '98'"},
	{"Sequelize", "SELECT \"id\", \"body\", \"createdAt\" FROM \"comments\" AS \"comment\" WHERE \"comment\".\"post_id\" = '11'"},
	{"Sequelize", "SELECT count(*) AS \"count\" FROM \"comments\" AS \"Comment\" WHERE \"Comment\".\"post_id\" = 5"},
	{"Sequelize", "SELECT \"Comment\".\"id\", \"Comment\".\"body\", \"author\".\"id\" AS \"author.id\" FROM \"comments\" AS \"Comment\" LEFT OUTER JOIN \"authors\" AS \"author\" ON \"Comment\".\"author_id\" = \"author\".\"id\" WHERE \"Comment\".\"post_id\" = $1"},
	{"Sequelize", "INSERT INTO \"authors\" (\"id\",\"name\") VALUES (DEFAULT,$1) RETURNING \"id\",\"name\""},
	{NULL, "SELECT id, name FROM authors AS author WHERE author.id = '98'"},
	{NULL, "SELECT \"id\", \"name\" FROM \"authors\" WHERE \"id\" = $1"},
	{NULL, "select \"id\", \"name\" from \"authors\" as \"author\" where \"author\".\"id\" = $1"},
	{NULL, "SELECT \"id\", \"name\" FROM \"authors\" AS \"a\" WHERE id = $1"},

	/* captured */
	{"TypeORM", "SELECT \"Post\".\"id\" AS \"Post_id\", \"Post\".\"title\" AS \"Post_title\" FROM \"posts\" \"Post\" WHERE ((\"Post\".\"author_id\" = $1))"},
	{"TypeORM", "SELECT \"author\".\"id\" AS \"author_id\" FROM \"authors\" \"author\" INNER JOIN \"posts\" \"Post\" ON \"Post\".\"author_id\" = \"author\".\"id\" WHERE \"Post\".\"id\" IN ($1)"},
	{"TypeORM", "SELECT COUNT(1) AS \"cnt\" FROM \"comments\" \"Comment\" WHERE ((\"Comment\".\"post_id\" = $1))"},
	{"TypeORM", "INSERT INTO \"log\"(\"id\", \"msg\") VALUES (DEFAULT, $1) RETURNING \"id\""},
	{NULL, "SELECT \"Post\".\"id\" AS \"post_id\" FROM \"posts\" \"Post\" WHERE \"Post\".\"id\" = $1"},
	{NULL, "SELECT p.id AS p_id FROM posts p WHERE p.id = $1"},
	{NULL, "INSERT INTO \"log\"(\"msg\") VALUES ($1) RETURNING \"id\""},

	{"Prisma", "SELECT \"public\".\"users\".\"id\", \"public\".\"users\".\"email\" FROM \"public\".\"users\" WHERE (\"public\".\"users\".\"id\" = $1 AND 1=1) LIMIT $2 OFFSET $3"},
	{"Prisma", "SELECT \"public\".\"Post\".\"id\" FROM \"public\".\"Post\" WHERE \"public\".\"Post\".\"authorId\" IN ($1) OFFSET $2"},
	{"Prisma", "INSERT INTO \"public\".\"User\" (\"email\") VALUES ($1) RETURNING \"public\".\"User\".\"id\""},
	/* jOOQ; by hand */
	{NULL, "select \"public\".\"author\".\"id\" from \"public\".\"author\" where \"public\".\"author\".\"id\" = $1"},
	{NULL, "SELECT \"public\".\"users\".\"id\" FROM \"public\".\"users\" WHERE \"public\".\"users\".\"id\" = $1"},
	{NULL, "SELECT public.users.id FROM public.users WHERE public.users.id = $1 LIMIT $2 OFFSET $3"},

	{"Hibernate", "select a1_0.id,a1_0.name from authors a1_0 where a1_0.id=$1"},
	{"Hibernate", "select author0_.id as id1_0_0_, author0_.name as name2_0_0_ from authors author0_ where author0_.id=$1"},
	{"Hibernate", "select count(c1_0.id) from comments c1_0 where c1_0.post_id=$1"},
	{"Hibernate", "select oi1_0.order_id,oi1_0.id,p1_0.id,p1_0.name from order_items oi1_0 left join products p1_0 on p1_0.id=oi1_0.product_id where oi1_0.order_id=$1"},
	/* MyBatis, JdbcTemplate: anybody's */
	{NULL, "select a.id,a.name from authors a where a.id=$1", "PostgreSQL JDBC Driver"},
	{NULL, "select id, name from authors where id = $1", "PostgreSQL JDBC Driver"},
	{NULL, "insert into authors (name,id) values ($1,$2)", "PostgreSQL JDBC Driver"},
	{NULL, "select a1.id,a1.name from authors a1 where a1.id=$1"},

	{"Entity Framework", "SELECT a.\"Id\", a.\"Name\" FROM \"Authors\" AS a WHERE a.\"Id\" = $1 LIMIT 1"},
	{"Entity Framework", "SELECT p.\"Id\", p.\"AuthorId\" FROM \"Posts\" AS p WHERE p.\"AuthorId\" = $1"},
	{"Ecto", "SELECT a0.\"id\", a0.\"name\" FROM \"authors\" AS a0 WHERE (a0.\"id\" = $1)"},
	{"Doctrine", "SELECT t0.id AS id_1, t0.name AS name_2, t0.country_id AS country_id_3 FROM authors t0 WHERE t0.id = $1"},
	{NULL, "SELECT a.id, a.name FROM authors AS a WHERE a.id = $1"},
	{NULL, "SELECT a.\"Id\" FROM authors AS a WHERE a.\"Id\" = $1"},
	{NULL, "SELECT t0.id, t0.name FROM authors t0 WHERE t0.id = $1"},

	{"Laravel Eloquent", "select * from \"authors\" where \"authors\".\"id\" = $1 limit 1"},
	{"Laravel Eloquent", "select * from \"comments\" where \"comments\".\"post_id\" = $1 and \"comments\".\"post_id\" is not null"},
	{NULL, "select * from \"authors\" where \"id\" = $1 limit 1"},
	{NULL, "select * from authors where authors.id = $1 limit 1"},

	{"GORM", "SELECT * FROM \"authors\" WHERE \"authors\".\"id\" = $1 ORDER BY \"authors\".\"id\" LIMIT $2"},
	{"GORM", "SELECT * FROM \"authors\" WHERE \"authors\".\"id\" = $1 AND \"authors\".\"deleted_at\" IS NULL ORDER BY \"authors\".\"id\" LIMIT 1"},
	{NULL, "SELECT * FROM \"authors\" WHERE \"authors\".\"id\" = $1"},
	{NULL, "SELECT * FROM \"authors\" WHERE \"id\" = $1 ORDER BY \"id\" LIMIT 1"},

	/* of nobody */
	{NULL, ""},
	{NULL, "SELECT"},
	{NULL, "SELECT \"a"},
	{NULL, "SELECT COUNT("},
	{NULL, "SELECT 1"},
	{NULL, "SELECT * FROM t"},
	{NULL, "SELECT \"a\".\"b\".\"c\".\"d\".\"e\" FROM \"a\""},
	{NULL, "SELECT a FROM t AS"},
	{NULL, "SELECT a FROM t WHERE"},
	{NULL, "SELECT a FROM t WHERE ((("},
	{NULL, "INSERT INTO"},
	{NULL, "INSERT INTO \"t\" (\"a\") VALUES ("},
	{NULL, "UPDATE \"authors\" SET \"name\" = $1 WHERE \"authors\".\"id\" = $2", "puma"},
	{NULL, "SELECT id, name FROM authors WHERE id = $1", "django"},
	{NULL, "SELECT id, name FROM authors WHERE id = $1", "rails"}
};

static void
check_case(const OrmCase *c)
{
	char		normal[2000];
	PgvSqlNormal out;
	const PgvOrm *orm;
	const char *got;

	pgv_sqltext_normalise(c->sql, (int) strlen(c->sql), true, normal, sizeof(normal), &out);
	orm = pgv_orm_of(normal, c->application, c->limit > 0 ? c->limit : -1);
	got = orm != NULL ? orm->name : NULL;
	CHECKF((got == NULL) == (c->name == NULL) && (got == NULL || strcmp(got, c->name) == 0),
		   "\n\tstatement: %s\n\texpected:  %s\n\tgot:       %s", normal,
		   c->name ? c->name : "none", got ? got : "none");
}

/* No beginning of a statement may be read beyond its end. */
static void
check_beginnings(const char *sql)
{
	for (size_t len = 0; len <= strlen(sql); len++)
	{
		char	   *part = malloc(len + 1);

		memcpy(part, sql, len);
		part[len] = '\0';
		(void) pgv_orm_of(part, "", -1);
		free(part);
	}
	CHECK(true);
}

void
pgv_unit_orm(void)
{
	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		check_case(&cases[i]);
		check_beginnings(cases[i].sql);
	}
}
