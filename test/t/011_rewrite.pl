# When this fails, vitals.rewrite gives SQL that does not run, or that does not
# do what the loop did; or it lets somebody see, or run, what is another's.
#
# Each case runs its statement in a loop, once for each set of values; takes
# what vitals.rewrite makes of it; runs that, once; and compares rows, or, of
# writes, the tables after it.

use strict;
use warnings;

use lib 'test/t';
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('main', conf => ["log_min_messages = 'warning'"]);

$node->safe_psql('postgres', <<'END');
CREATE EXTENSION IF NOT EXISTS citext;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE authors (id bigserial PRIMARY KEY, name varchar(40) NOT NULL, code char(4),
	mood mood DEFAULT 'ok', active boolean DEFAULT true, score numeric, guid uuid, nick citext);
CREATE TABLE posts (id bigserial PRIMARY KEY, author_id bigint REFERENCES authors, title text,
	status text DEFAULT 'published', lock_version int DEFAULT 0, on_day date DEFAULT '2024-01-01');
CREATE INDEX ON posts (author_id);
CREATE TABLE tags (post_id bigint REFERENCES posts, tag text, n int, PRIMARY KEY (post_id, tag));
CREATE TABLE categories (id int PRIMARY KEY, parent_id int REFERENCES categories, name text);
CREATE TABLE notes (id serial PRIMARY KEY, on_type text, on_id int, body text, v1 int DEFAULT 7, ord int);
CREATE TABLE parts (region int, id int, what text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
CREATE TABLE "odd $1 ""name" (id int PRIMARY KEY, "a$1" int, "SELECT" text, k int, x int, "$2" int);
CREATE TABLE lists (id int, numbers int[]);
CREATE TABLE counters (name text PRIMARY KEY, n int NOT NULL DEFAULT 0, last text);

INSERT INTO authors (name, code, mood, active, score, guid, nick)
	SELECT 'author ' || g, 'c' || g, (enum_range(NULL::mood))[1 + g % 3], g % 4 > 0, g / 2.0,
		   md5(g::text)::uuid, 'Nick' || g % 5
	FROM generate_series(1, 20) AS g;
INSERT INTO posts (author_id, title, status, on_day)
	SELECT 1 + g * 7 % 15, 'post ' || g % 40, CASE WHEN g % 3 = 0 THEN 'draft' ELSE 'published' END,
		   date '2024-01-01' + g % 5
	FROM generate_series(1, 100) AS g;
INSERT INTO posts (author_id, title) VALUES (NULL, 'of nobody');
INSERT INTO tags SELECT 1 + g % 50, 'tag ' || g % 7, g FROM generate_series(1, 100) AS g ON CONFLICT DO NOTHING;
INSERT INTO categories SELECT g, nullif(g / 3, 0), 'category ' || g FROM generate_series(1, 30) AS g;
INSERT INTO notes (on_type, on_id, body, ord)
	SELECT CASE g % 2 WHEN 0 THEN 'Post' ELSE 'Author' END, g % 10, 'note ' || g, g FROM generate_series(1, 60) AS g;
INSERT INTO parts SELECT 1 + g % 2, g, 'part ' || g FROM generate_series(1, 20) AS g;
INSERT INTO "odd $1 ""name" SELECT g, g % 4, 'v' || g, g, -g, g * 2 FROM generate_series(1, 12) AS g;
INSERT INTO counters SELECT 'counter ' || g, g FROM generate_series(1, 9) AS g;

CREATE VIEW post_list AS
	SELECT p.id AS post, p.author_id AS writer, p.title, a.name
	FROM posts AS p JOIN authors AS a ON a.id = p.author_id;
CREATE VIEW drafts AS SELECT id, author_id, title FROM posts WHERE status = 'draft';
CREATE FUNCTION shout(text) RETURNS text STABLE LANGUAGE sql AS $$ SELECT upper($1) $$;
CREATE FUNCTION chatty(bigint) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN $1; END $$;
CREATE VIEW chatty_authors AS SELECT id, chatty(id) AS same FROM authors;
ANALYZE;
END

# ----- running ---------------------------------------------------------------

# A value as a literal.
sub literal
{
	my ($value) = @_;

	return 'NULL' unless defined $value;
	return $value if $value =~ /^-?\d+$/;
	return "'" . ($value =~ s/'/''/gr) . "'";
}

# A statement with its values in the places of "?", none of which is in quotes.
sub filled
{
	my ($sql, @values) = @_;

	$sql =~ s/\?/literal(shift @values)/ge;
	return $sql;
}

# Run statements, return the rows of each: references to lists.
sub results
{
	my ($options, @statements) = @_;
	my $out = $node->safe_psql('postgres', join("\n",
		"\\set QUIET on", "\\pset null '<null>'", "\\pset fieldsep '\x02'",
		"\\pset tuples_only on", "\\pset format unaligned",
		($options->{before} // ()),
		(map { ("$_;", "\\echo \x03") } @statements),
		($options->{after} // ())));

	my @parts = split /\x03\n?/, $out, -1;
	return map { [ map { [ split /\x02/, $_, -1 ] } split /\n/, $_ ] } @parts[ 0 .. $#statements ];
}

sub text_of { return join("\n", map { join('|', @$_) } @_); }
sub sorted { return join("\n", sort map { join('|', @$_) } @_); }

# Run a loop with nothing else counted; returns its fingerprint(s) by text.
sub fingerprints
{
	my (@statements) = @_;
	my @rows = split /\n/, $node->safe_psql('postgres', join("\n",
		'SELECT vitals.reset() \g /dev/null',
		'BEGIN \g /dev/null',
		(map { "$_ \\g /dev/null" } @statements),
		'ROLLBACK \g /dev/null',
		q{SELECT json_build_object('fingerprint', fingerprint::text, 'query', query)
		  FROM vitals.statements
		  WHERE toplevel AND query !~ 'vitals' AND query !~ '^(BEGIN|ROLLBACK|SET|RESET)'
		  ORDER BY first_seen}));

	return map { decode_json($_) } @rows;
}

sub rewritings
{
	my ($fingerprint, $parent, $vary) = @_;
	my $out = $node->safe_psql('postgres', sprintf(
		'SELECT row_to_json(r) FROM vitals.rewrite(%s, %s, %s) AS r',
		$fingerprint, $parent // 'NULL', defined $vary ? "'{$vary}'" : 'NULL'));

	return map { decode_json($_) } split /\n/, $out;
}

# The statement with values for its parameters, to be run.
sub executed
{
	my ($rewriting, $rows) = @_;
	my (@types, @arguments);

	foreach my $parameter (@{ $rewriting->{parameters} })
	{
		my ($type, $of, $n, $parent) =
		  $parameter =~ /^\$\d+ (.+?): (the (?:values|elements) of )?\$(\d+)( of the parent)?/
		  or die "what is this: $parameter";

		push @types, $type;
		if ($of)
		{
			my @elements = map { $_->[ $n - 1 ] } @$rows;

			@elements = map { element($_) } @elements if $of =~ /elements/;
			push @arguments, 'ARRAY[' . join(', ', map { quoted($_) } @elements) . "]::$type";
		}
		else
		{
			my $value = $parent ? $rewriting->{parent_values}[ $n - 1 ] : $rows->[0][ $n - 1 ];

			push @arguments, literal($value);
		}
	}
	return 'PREPARE batched' . (@types ? '(' . join(', ', @types) . ')' : '') . " AS $rewriting->{statement}",
	  'EXECUTE batched' . (@arguments ? '(' . join(', ', @arguments) . ')' : '');
}

sub quoted { my ($v) = @_; return defined $v ? "'" . ($v =~ s/'/''/gr) . "'" : 'NULL'; }

# Of an array of one.
sub element { my ($v) = @_; return $v =~ /^\{NULL\}$/ ? undef : $v =~ s/^\{(.*)\}$/$1/r; }

# ----- reads -------------------------------------------------------------------

# read_case NAME, SQL, [[values], ...], options:
#	methods			'a b', with "!" for those that give a reason in place of SQL
#	ordered			there is an ORDER BY
#	args			values by $n, where they are not what is filled in
#	vary			as of vitals.rewrite
#	key				how a value is shown, where that differs
#	shown			how that is shown as the table's column, where that differs
#	parent			SQL of the parent, with parent_values, parent_ordered, child_ordered
#	join			values of the child: \n is the parent's n-th column, from 0
sub read_case
{
	my ($name, $sql, $values, %case) = @_;
	my @loop = map { filled($sql, @$_) } @$values;
	my $parent = $case{parent};
	my @known = fingerprints(($parent ? filled($parent, @{ $case{parent_values} // [] }) : ()), @loop);

	is(scalar @known, $parent ? 2 : 1, "$name: one statement")
	  or diag(explain(\@known));
	my $child = $known[-1];
	my @rewritings = rewritings($child->{fingerprint}, $parent ? $known[0]{fingerprint} : undef, $case{vary});
	is(join(' ', map { $_->{method} . (defined $_->{statement} ? '' : '!') } @rewritings), $case{methods},
		"$name: methods") or diag(explain(\@rewritings));

	my @single = results({}, @loop);
	$values = $case{args} if $case{args};
	foreach my $rewriting (grep { defined $_->{statement} } @rewritings)
	{
		$rewriting->{parent_values} = $case{parent_values};
		my ($prepare, $execute) = executed($rewriting, $values);
		my ($none, $got) = eval { results({}, $prepare, $execute) };
		my $title = "$name: $rewriting->{method}";

		if (!$got)
		{
			fail($title);
			diag("$@\n$prepare\n$execute");
			next;
		}
		my $compare = "compare_$rewriting->{method}";
		no strict 'refs';
		&$compare($title, $got, \@single, $values, $rewriting, \%case) or diag("$prepare\n$execute");
	}
	return @rewritings;
}

# The values of a draft's keys in one repeat, as they are shown.
sub keys_of
{
	my ($rewriting, $row, $case) = @_;

	return map { defined $_ ? $case->{key}{$_} // $_ : '<null>' } map {
		/the values of \$(\d+)/ ? $row->[ $1 - 1 ] : /the elements of \$(\d+)/ ? element($row->[ $1 - 1 ]) : ()
	} @{ $rewriting->{parameters} };
}

sub compare_lateral
{
	my ($title, $got, $single, $values, $rewriting, $case) = @_;
	my @expected;

	for my $i (0 .. $#$values)
	{
		my $place = 0;

		foreach my $row (@{ $single->[$i] })
		{
			push @expected, [ $i + 1, keys_of($rewriting, $values->[$i], $case), @$row,
				$rewriting->{statement} =~ / AS place\w* FROM \(/ ? ++$place : () ];
		}
	}
	return is(text_of(@$got), text_of(@expected), $title) if $case->{ordered};
	return is(sorted(@$got), sorted(@expected), $title);
}

sub compare_any_array
{
	my ($title, $got, $single, $values, $rewriting, $case) = @_;
	my (@expected, %done);

	for my $i (0 .. $#$values)
	{
		my ($key) = keys_of($rewriting, $values->[$i], $case);

		next if $done{$key}++;
		push @expected, map { [ @$_, $rewriting->{note} =~ /is added/ ? $case->{shown}{$key} // $key : () ] } @{ $single->[$i] };
	}
	return is(sorted(@$got), sorted(@expected), $title);
}

sub compare_group_by
{
	my ($title, $got, $single, $values, $rewriting, $case) = @_;

	return is(text_of(@$got),
		text_of(map { [ keys_of($rewriting, $values->[$_], $case), @{ $single->[$_][0] } ] } 0 .. $#$values), $title);
}

# The loop that the join stands for, over the rows of the parent.
sub compare_join
{
	my ($title, $got, $single, $values, $rewriting, $case) = @_;
	my ($parents) = results({}, filled($case->{parent}, @{ $case->{parent_values} // [] }));
	my ($n, @expected) = (0);

	my @children = results({}, map {
		my $parent = $_;
		filled($case->{child}, map { my $v = $_; ref $v ? do { my $w = $parent->[$$v]; $w eq '<null>' ? undef : $w } : $v } @{ $case->{join} })
	} @$parents);
	foreach my $parent (@$parents)
	{
		my ($m, $place) = (0, $rewriting->{statement} =~ /CROSS JOIN LATERAL/);

		$n++;
		push @expected, map { [ @$parent, ($place && $case->{parent_ordered} ? $n : ()),
			@$_, ($place && $case->{child_ordered} ? ++$m : ()) ] } @{ $children[ $n - 1 ] };
	}
	cmp_ok(scalar @expected, '>', 3, "$title: has rows");
	return $case->{parent_ordered} && ($case->{child_ordered} || $case->{child_single})
	  ? is(text_of(@$got), text_of(@expected), $title)
	  : is(sorted(@$got), sorted(@expected), $title);
}

my @ids = ([3], [1], [7], [1], [undef], [999], [12]);

read_case('all of a row by its key', 'SELECT * FROM authors WHERE id = ?', \@ids, methods => 'any_array lateral');
read_case('key not selected', 'SELECT name FROM authors WHERE id = ?', \@ids, methods => 'any_array lateral');
read_case('as ActiveRecord', 'SELECT "authors".* FROM "authors" WHERE "authors"."id" = ? LIMIT ?',
	[ map { [ @$_, 1 ] } @ids ], methods => 'any_array lateral');
read_case('as Django', 'SELECT "posts"."id", "posts"."title" FROM "posts" WHERE "posts"."author_id" = ?', \@ids,
	methods => 'any_array lateral');
read_case('a limit that counts', 'SELECT title FROM posts WHERE author_id = ? ORDER BY id DESC LIMIT ?',
	[ map { [ @$_, 3 ] } @ids ], methods => 'lateral', ordered => 1);
read_case('FETCH FIRST and OFFSET', 'SELECT title FROM posts WHERE author_id = ? ORDER BY id OFFSET ? FETCH FIRST ? ROWS ONLY',
	[ map { [ @$_, 1, 2 ] } @ids ], methods => 'lateral', ordered => 1);
read_case('an order', 'SELECT id, title FROM posts WHERE author_id = ? ORDER BY title DESC, 1', \@ids,
	methods => 'any_array lateral', ordered => 1);
read_case('a column called place', 'SELECT id AS place, title FROM posts WHERE author_id = ? ORDER BY title DESC, 1', \@ids,
	methods => 'any_array lateral', ordered => 1);
read_case('the other way round', 'SELECT title FROM posts WHERE ? = posts.author_id', \@ids, methods => 'any_array lateral');
read_case('the other way round, with a cast', 'SELECT title FROM posts AS p WHERE (?::INTEGER) = p.author_id', \@ids,
	methods => 'any_array lateral');
read_case('a cast', 'SELECT title FROM posts WHERE author_id = CAST(? AS integer)', \@ids, methods => 'any_array lateral');
read_case('a cast in brackets', 'SELECT title FROM posts WHERE (author_id = (?)::bigint)', \@ids, methods => 'any_array lateral');
read_case('IN of one', 'SELECT title FROM posts WHERE author_id IN (?) AND status = ?',
	[ map { [ @$_, 'draft' ] } @ids ], methods => 'any_array lateral lateral');
read_case('ANY of an array of one', 'SELECT title FROM posts WHERE author_id = ANY (?)',
	[ map { [ '{' . ($_->[0] // 'NULL') . '}' ] } @ids ], methods => 'any_array lateral');
read_case('ANY of a constructed array of one', 'SELECT title FROM posts WHERE author_id = ANY (ARRAY[?]::bigint[])', \@ids,
	methods => 'any_array lateral');
read_case('the other way round, among others', 'SELECT title FROM posts WHERE id > ? AND ? = author_id AND ? <> title',
	[ map { [ 10, @$_, 'post 3' ] } @ids ], methods => 'any_array lateral');
read_case('lists beside it', 'SELECT title FROM posts WHERE author_id = ? AND title NOT IN (?, ?) AND id = ANY (ARRAY[?, ?, ?, ?, ?]) AND status IN (?, ?)',
	[ map { [ @$_, 'post 1', 'post 2', 5, 6, 7, 8, 20, 'draft', 'published' ] } @ids ],
	args => [ map { [ @$_, '{post 1,post 2}', '{5,6,7,8,20}', '{draft,published}' ] } @ids ],
	methods => 'any_array lateral');
read_case('a boolean is no key where there is another', 'SELECT name FROM authors WHERE id = ? AND active = ?',
	[ map { [ @$_, 'true' ] } @ids ], methods => 'any_array lateral');
read_case('a boolean alone', 'SELECT id FROM authors WHERE active = ?', [ ['true'], ['false'] ], methods => 'any_array lateral',
	key => { true => 't', false => 'f' });
read_case('a status is no key where there is one', 'SELECT id FROM posts WHERE author_id = ? AND status = ?',
	[ [ 3, 'draft' ], [ 4, 'draft' ] ], methods => 'any_array lateral lateral');
read_case('all that is compared', 'SELECT id FROM posts WHERE author_id = ? AND status = ?',
	[ [ 3, 'draft' ], [ 4, 'published' ] ], vary => '1,2', methods => 'lateral');
read_case('1 AS one', 'SELECT ? AS one FROM authors WHERE id = ? LIMIT ?', [ map { [ 1, @$_, 1 ] } @ids ],
	methods => 'any_array lateral');
read_case('a CTE', 'WITH p AS (SELECT * FROM posts WHERE status = ?) SELECT p.title FROM p WHERE p.author_id = ? ORDER BY id',
	[ map { [ 'draft', @$_ ] } @ids ], methods => 'any_array lateral lateral', ordered => 1);
read_case('text', 'SELECT id FROM authors WHERE name = ?',
	[ ['author 3'], [q{it's}], ['author 4'], [undef], ['{"$1"}'], ['author 3'] ], methods => 'any_array lateral');
read_case('char', 'SELECT id FROM authors WHERE code = ?', [ ['c3'], ['c4  '], ['nope'] ], methods => 'any_array lateral',
	shown => { 'c3' => 'c3  ', 'c4  ' => 'c4  ' });
read_case('uuid', 'SELECT id, name FROM authors WHERE guid = ?',
	[ map { [$_] } 'eccbc87e-4b5c-e2fe-2830-8fd9f2a7baf3', '00000000-0000-0000-0000-000000000000' ],
	methods => 'any_array lateral');
read_case('enum', 'SELECT id FROM authors WHERE mood = ?', [ ['sad'], ['happy'] ], methods => 'any_array lateral');
read_case('numeric', 'SELECT id FROM authors WHERE score = ?', [ ['1.50'], ['2'] ], methods => 'any_array lateral',
	shown => { '1.50' => '1.5000000000000000', '2' => '2.0000000000000000' });
read_case('citext', 'SELECT id, nick FROM authors WHERE nick = ? ORDER BY id', [ ['NICK1'], ['nick2'], ['none'] ],
	methods => 'any_array lateral', ordered => 1);
read_case('a typed literal', q{SELECT id FROM posts WHERE author_id = ? AND on_day >= date '2024-01-03'},
	[ [ 3, '2024-01-03' ], [ 4, '2024-01-03' ] ], methods => 'any_array lateral');
read_case('an interval', q{SELECT id FROM posts WHERE author_id = ? AND on_day >= date '2024-01-05' - interval '2' day},
	[ [ 3, '2024-01-05', 2 ], [ 4, '2024-01-05', 2 ] ], methods => 'any_array lateral');

read_case('counts', 'SELECT count(*) FROM posts WHERE author_id = ?', \@ids, methods => 'group_by lateral', ordered => 1);
read_case('sums and counts', 'SELECT count(*) AS n, sum(id) AS total, max(title), count(DISTINCT title) FILTER (WHERE id > ?) FROM posts WHERE posts.author_id = ?',
	[ map { [ 20, @$_ ] } @ids ], methods => 'group_by lateral', ordered => 1);
read_case('an expression of aggregates', 'SELECT coalesce(sum(id), ?) FROM posts WHERE author_id = ?',
	[ map { [ 0, @$_ ] } @ids ], methods => 'lateral', ordered => 1);
read_case('HAVING', 'SELECT count(*) FROM posts WHERE author_id = ? HAVING count(*) > ?',
	[ map { [ @$_, 6 ] } @ids ], methods => 'lateral', ordered => 1);
read_case('GROUP BY', 'SELECT status, count(*) FROM posts WHERE author_id = ? GROUP BY status ORDER BY 1', \@ids,
	methods => 'lateral', ordered => 1);
read_case('DISTINCT', 'SELECT DISTINCT status FROM posts WHERE author_id = ? ORDER BY status', \@ids,
	methods => 'lateral', ordered => 1);
read_case('a window', 'SELECT id, row_number() OVER (ORDER BY title, id) FROM posts WHERE author_id = ? ORDER BY id', \@ids,
	methods => 'lateral', ordered => 1);
read_case('a union', 'SELECT id FROM posts WHERE author_id = ? UNION ALL SELECT post_id FROM tags WHERE post_id = ?',
	[ map { [ @$_, @$_ ] } @ids ], methods => 'lateral');
read_case('EXISTS', 'SELECT EXISTS (SELECT FROM posts WHERE author_id = ?)', \@ids, methods => 'lateral', ordered => 1);
read_case('an OR', 'SELECT id FROM posts WHERE author_id = ? OR id = ? ORDER BY id', [ [ 1, 5 ], [ 2, 9 ], [ 2, undef ] ],
	methods => 'lateral', ordered => 1);
read_case('a function of the column', 'SELECT id FROM authors WHERE lower(name) = ?', [ ['author 3'], ['author 5'] ],
	methods => 'lateral');
read_case('a stable function', 'SELECT shout(title) FROM posts WHERE author_id = ?', \@ids, methods => 'any_array lateral');
read_case('functions of any type', 'SELECT json_build_object(?, id), concat(?, title), format(?, id), coalesce(title, ?) FROM posts WHERE author_id = ?',
	[ map { [ 'a', 'b', '%s', 'c', @$_ ] } @ids ], methods => 'any_array lateral');
read_case('no comparison by equality', 'SELECT id FROM posts WHERE id > ? ORDER BY id LIMIT ?', [ [ 5, 2 ], [ 9, 2 ] ],
	methods => 'lateral', ordered => 1);

read_case('a composite key', 'SELECT n FROM tags WHERE post_id = ? AND tag = ?',
	[ [ 2, 'tag 1' ], [ 3, 'tag 2' ], [ 3, undef ], [ 2, 'tag 1' ], [ 4, 'tag 9' ] ], methods => 'lateral');
read_case('a composite key as rows', 'SELECT n FROM tags WHERE (post_id, tag) = (?, ?)',
	[ [ 2, 'tag 1' ], [ 3, 'tag 2' ] ], methods => 'lateral');
read_case('part of a composite key', 'SELECT tag, n FROM tags WHERE post_id = ? ORDER BY tag', \@ids,
	methods => 'any_array lateral', ordered => 1);
read_case('polymorphic', 'SELECT body FROM notes WHERE on_type = ? AND on_id = ?', [ [ 'Post', 2 ], [ 'Author', 3 ], [ 'Post', 3 ] ],
	methods => 'lateral');
read_case('polymorphic, one type', 'SELECT body FROM notes WHERE on_type = ? AND on_id = ?', [ [ 'Post', 2 ], [ 'Post', 4 ] ],
	vary => 2, methods => 'any_array lateral');
read_case('partitions', 'SELECT what FROM parts WHERE region = ? AND id = ?', [ [ 1, 4 ], [ 2, 5 ], [ 2, 4 ] ],
	methods => 'lateral');
read_case('a join', 'SELECT p.title, a.name FROM posts p LEFT JOIN authors a ON a.id = p.author_id WHERE a.id = ?', \@ids,
	methods => 'any_array lateral');
read_case('a join with USING', 'SELECT t.tag FROM posts p JOIN tags t ON t.post_id = p.id WHERE p.id IN (?)', \@ids,
	methods => 'any_array lateral');
read_case('a view', 'SELECT title, name FROM post_list WHERE writer = ?', \@ids, methods => 'any_array lateral');
read_case('a subquery', 'SELECT s.title FROM (SELECT title, author_id FROM posts WHERE id > ?) AS s WHERE s.author_id = ?',
	[ map { [ 10, @$_ ] } @ids ], methods => 'any_array lateral');
read_case('a key in a subquery', 'SELECT name FROM authors WHERE id IN (SELECT author_id FROM posts WHERE posts.id = ?)', \@ids,
	methods => 'lateral');
read_case('VALUES in FROM', 'SELECT id, EXTRACT(year FROM on_day), title IS DISTINCT FROM ? FROM posts WHERE author_id = ?',
	[ map { [ 'post 1', @$_ ] } @ids ], methods => 'any_array lateral');

# names that look like what we look for
read_case('odd names', 'SELECT "a$1", "SELECT", k, x FROM "odd $1 ""name" WHERE "$2" = ?', [ [2], [4], [5] ],
	methods => 'any_array lateral');
read_case('our own names', 'SELECT k.k, x.x, k.id AS ord, k.id AS key FROM "odd $1 ""name" AS k JOIN "odd $1 ""name" AS x USING (id) WHERE k."a$1" = ?',
	[ [2], [3], [5] ], methods => 'any_array lateral');
read_case('strings that look like parameters', 'SELECT id, ? AS "$1", /* $3 = $4 */ title -- $5
	FROM posts WHERE author_id = ?', [ map { [ '$1; DROP TABLE posts; --', @$_ ] } @ids ], methods => 'any_array lateral');

# ----- joins -------------------------------------------------------------------

sub join_case
{
	my ($name, $parent, $child, $join, %case) = @_;
	my ($rows) = results({}, filled($parent, @{ $case{parent_values} // [] }));
	my @values = map {
		my $row = $_;
		[ map { ref $_ ? ($row->[$$_] eq '<null>' ? undef : $row->[$$_]) : $_ } @$join ]
	} @$rows;

	return read_case($name, $child, \@values, %case, parent => $parent, child => $child, join => $join);
}

join_case('authors of posts', 'SELECT id, author_id, title FROM posts ORDER BY id', 'SELECT * FROM authors WHERE id = ?',
	[ \1 ], methods => 'any_array lateral join', parent_ordered => 1, child_single => 1);
join_case('authors of posts, as ActiveRecord', 'SELECT "posts".* FROM "posts" ORDER BY "posts"."id" DESC LIMIT ?',
	'SELECT "authors".* FROM "authors" WHERE "authors"."id" = ? LIMIT ?', [ \1, 1 ], parent_values => [10],
	methods => 'any_array lateral join', parent_ordered => 1, child_single => 1);
join_case('posts of authors', 'SELECT name, id FROM authors WHERE id < ? ORDER BY name', 'SELECT title, status FROM posts p WHERE author_id = ? AND id > ? ORDER BY p.title DESC, id',
	[ \1, 5 ], parent_values => [12], methods => 'any_array lateral join', parent_ordered => 1, child_ordered => 1);
join_case('last posts of authors', 'SELECT * FROM authors WHERE active ORDER BY 1', 'SELECT title FROM posts WHERE author_id = ? ORDER BY id DESC LIMIT ?',
	[ \0, 2 ], methods => 'lateral join', parent_ordered => 1, child_ordered => 1);
join_case('counts for groups', 'SELECT author_id, count(*) FROM posts WHERE author_id IS NOT NULL GROUP BY author_id', 'SELECT name FROM authors WHERE id = ?',
	[ \0 ], methods => 'any_array lateral join');
join_case('children in one table', 'SELECT id, name FROM categories WHERE id < ? ORDER BY id', 'SELECT id, name FROM categories WHERE parent_id = ? ORDER BY id',
	[ \0 ], parent_values => [8], methods => 'any_array lateral join', parent_ordered => 1, child_ordered => 1);
join_case('parents in one table', 'SELECT c.parent_id FROM categories AS c', 'SELECT p.name FROM categories AS p WHERE p.id = ?',
	[ \0 ], methods => 'any_array lateral join');
join_case('through a view', 'SELECT author_id AS a FROM drafts', 'SELECT name FROM authors WHERE id = ?',
	[ \0 ], methods => 'any_array lateral join');
join_case('no link', 'SELECT id FROM categories ORDER BY id', 'SELECT id, name FROM authors WHERE id = ?',
	[ \0 ], methods => 'any_array lateral join!', parent_ordered => 1);
join_case('a column named alike', 'SELECT id, title AS name FROM posts ORDER BY name, id', 'SELECT tag, n FROM tags WHERE post_id = ? AND n > ? ORDER BY n',
	[ \0, 3 ], methods => 'any_array lateral join', parent_ordered => 1, child_ordered => 1);

{
	my @join = grep { $_->{method} eq 'join' } join_case('a plain join',
		'SELECT title, author_id FROM posts WHERE status = ?', 'SELECT name FROM authors AS "w" WHERE w.id = ?', [ \1 ],
		parent_values => ['draft'], methods => 'any_array lateral join');

	is($join[0]{statement}, 'SELECT posts.title, posts.author_id, w.name FROM posts JOIN authors AS "w" ON w.id = posts.author_id WHERE posts.status = $1',
		'a plain join: clause by clause');
}

# ----- writes ------------------------------------------------------------------

# write_case NAME, SQL, [[values], ...], methods => 'a b', state => SELECT, with
# which the table is compared; args as above; returning => compare what is returned
sub write_case
{
	my ($name, $sql, $values, %case) = @_;
	my @loop = map { filled($sql, @$_) } @$values;
	my ($known) = fingerprints(@loop);
	my @rewritings = rewritings($known->{fingerprint}, undef, $case{vary});

	is(join(' ', map { $_->{method} . (defined $_->{statement} ? '' : '!') } @rewritings), $case{methods},
		"$name: methods") or diag(explain(\@rewritings));
	$values = $case{args} if $case{args};
	my @transaction = (before => "BEGIN;", after => 'ROLLBACK;');
	my @looped = results({@transaction}, @loop, $case{state});
	my $state = text_of(@{ pop @looped });
	isnt($state, text_of(results({@transaction}, $case{state})), "$name: does something");

	foreach my $rewriting (grep { defined $_->{statement} } @rewritings)
	{
		my $title = "$name: $rewriting->{method}";
		my @batch = $rewriting->{method} eq 'copy' ? copied($rewriting, $values) : executed($rewriting, $values);
		my @got = eval { results({@transaction}, @batch, $case{state}) };

		if (!@got)
		{
			fail($title);
			diag("$@\n@batch");
			next;
		}
		is(text_of(@{ pop @got }), $state, "$title: the table") or diag(join("\n", @batch));
		is(sorted(@{ $got[-1] }), sorted(map { @$_ } @looped), "$title: what is returned") if $case{returning};
	}
	return @rewritings;
}

# COPY with its data; of a value per parameter, in their order.
sub copied
{
	my ($rewriting, $values) = @_;

	return $rewriting->{statement} . ";\n"
	  . join("\n", map { join("\t", map { defined $_ ? s/([\\\t])/\\$1/gr : '\N' } @$_) } @$values) . "\n\\.\nSELECT";
}

my $posts = 'SELECT id, author_id, title, status, lock_version FROM posts ORDER BY id';

write_case('UPDATE', 'UPDATE posts SET title = ? WHERE id = ?', [ [ 'new 3', 3 ], [ undef, 5 ], [ "it's \$1", 7 ], [ 'no', 9999 ] ],
	methods => 'update_from', state => $posts);
write_case('UPDATE of several columns', 'UPDATE "posts" SET "title" = ?, "lock_version" = ? WHERE "posts"."id" = ? AND "posts"."lock_version" = ? RETURNING *, title',
	[ [ 'a', 1, 3, 0 ], [ 'b', 1, 4, 0 ], [ 'c', 1, 5, 4 ] ], methods => 'update_from', state => $posts, returning => 1);
write_case('UPDATE in terms of itself', 'UPDATE posts AS p SET lock_version = p.lock_version + ?, title = upper(p.title) WHERE p.id IN (?)',
	[ [ 1, 3 ], [ 2, 4 ], [ 5, 6 ] ], methods => 'update_from', state => $posts);
write_case('UPDATE without values', 'UPDATE posts SET status = upper(status) WHERE author_id = ? RETURNING id', [ [3], [4] ],
	methods => 'update_any', state => $posts, returning => 1);
write_case('UPDATE by a join', 'UPDATE posts SET title = a.name || ? FROM authors a WHERE a.id = posts.author_id AND posts.id = ?',
	[ [ '!', 3 ], [ '?!', 4 ] ], methods => 'update_from', state => $posts);
write_case('UPDATE with row assignment', 'UPDATE posts SET (title, status) = (?, ?) WHERE ? = id',
	[ [ 'x', 'draft', 3 ], [ 'y', 'gone', 4 ] ], methods => 'update_from', state => $posts);
write_case('UPDATE of a table with our names', 'UPDATE notes SET body = ?, v1 = ? WHERE id = ? AND v1 = 7 AND ord > 0' =~ s/7/?/r =~ s/> 0/> ?/r,
	[ [ 'x', 8, 3, 7, 0 ], [ 'y', 9, 4, 7, 0 ] ], methods => 'update_from', state => 'SELECT * FROM notes ORDER BY id');
write_case('UPDATE of a view', 'UPDATE drafts SET title = ? WHERE id = ?', [ [ 'x', 3 ], [ 'y', 6 ], [ 'z', 7 ] ],
	methods => 'update_from', state => $posts);
write_case('UPDATE of partitions', 'UPDATE parts SET what = ? WHERE region = ? AND id = ?', [ [ 'x', 1, 4 ], [ 'y', 2, 5 ] ],
	methods => 'update_from', state => 'SELECT * FROM parts ORDER BY id');

write_case('DELETE', 'DELETE FROM tags WHERE post_id = ?', [ [3], [4], [3], [undef], [99999] ],
	methods => 'delete_any', state => 'SELECT * FROM tags ORDER BY n');
write_case('DELETE by a composite key', 'DELETE FROM tags WHERE post_id = ? AND tag = ? RETURNING *',
	[ [ 2, 'tag 1' ], [ 3, 'tag 2' ], [ 3, 'tag 1' ], [ 2, 'tag 1' ] ],
	methods => 'delete_using', state => 'SELECT * FROM tags ORDER BY n', returning => 1);
write_case('DELETE with USING', 'DELETE FROM tags USING posts WHERE posts.id = tags.post_id AND posts.id = ? AND tags.tag = ?',
	[ [ 2, 'tag 1' ], [ 3, 'tag 2' ] ], methods => 'delete_using', state => 'SELECT * FROM tags ORDER BY n');

my $notes = 'SELECT on_type, on_id, body, v1, ord FROM notes ORDER BY ord, body, on_id';
write_case('INSERT', 'INSERT INTO notes (on_type, on_id, body) VALUES (?, ?, ?)',
	[ [ 'Post', 1, "a\tb\\c" ], [ 'Author', undef, q{it's "$1"} ], [ undef, 3, '{}' ] ],
	methods => 'insert_unnest copy', state => $notes);
write_case('INSERT with DEFAULT and RETURNING', 'INSERT INTO "notes" ("id", "on_type", "v1", "body") VALUES (DEFAULT, ?, DEFAULT, ?) RETURNING "notes"."body", *'
	=~ s/, \*//r, [ [ 'Post', 'x' ], [ 'Post', 'y' ] ], methods => 'insert_unnest', state => $notes, returning => 1);
write_case('INSERT with DEFAULT', 'INSERT INTO notes(id,on_type,v1,body)VALUES(DEFAULT,?,DEFAULT,?)', [ [ 'Post', 'x' ], [ 'Post', 'y' ] ],
	methods => 'insert_unnest copy', state => $notes);
write_case('INSERT of expressions', q{INSERT INTO notes (on_type, body, ord) VALUES (upper(?), (SELECT name FROM authors WHERE id = ?), abs(?::int))},
	[ [ 'a', 3, 5 ], [ 'b', 4, -6 ] ], methods => 'insert_unnest', state => $notes);
write_case('INSERT without columns', 'INSERT INTO counters VALUES (?, ?)', [ [ 'x', 1 ], [ 'y', 2 ] ],
	methods => 'insert_unnest copy', state => 'SELECT * FROM counters ORDER BY name');
write_case('INSERT that does nothing on conflict', 'INSERT INTO counters AS c (name, n) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING c.*',
	[ [ 'counter 1', 10 ], [ 'x', 1 ], [ 'x', 2 ] ], methods => 'insert_unnest', state => 'SELECT * FROM counters ORDER BY name', returning => 1);
write_case('upsert', 'INSERT INTO counters (name, n) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = counters.n + EXCLUDED.n, last = ?',
	[ [ 'counter 1', 10, 'z' ], [ 'x', 1, 'z' ] ], methods => 'insert_unnest', state => 'SELECT * FROM counters ORDER BY name');
write_case('INSERT of several rows', 'INSERT INTO counters (name, n) VALUES (?, ?), (?, ?)',
	[ [ 'x', 1, 'y', 2 ], [ 'z', 3, 'zz', 4 ] ], args => [ [ 'x', 1 ], [ 'y', 2 ], [ 'z', 3 ], [ 'zz', 4 ] ],
	methods => 'insert_unnest copy', state => 'SELECT * FROM counters ORDER BY name');
write_case('INSERT of arrays', 'INSERT INTO lists VALUES (?, ?)', [ [ 1, '{1,2}' ], [ 2, undef ] ],
	methods => 'copy', state => 'SELECT * FROM lists ORDER BY id');
write_case('INSERT into partitions', 'INSERT INTO parts (region, id, what) VALUES (?, ?, ?)', [ [ 1, 50, 'x' ], [ 2, 51, 'y' ] ],
	methods => 'insert_unnest copy', state => 'SELECT * FROM parts ORDER BY id');
write_case('INSERT into a view', 'INSERT INTO drafts (author_id, title) VALUES (?, ?)', [ [ 1, 'x' ], [ 2, 'y' ] ],
	methods => 'insert_unnest', state => 'SELECT author_id, title FROM posts ORDER BY id');

# A parameter used twice, as only the extended protocol has it.
{
	my ($r) = rewritings((grep { $_->{query} =~ /^INSERT/ } fingerprints(
		q{PREPARE u(text, int) AS INSERT INTO counters (name, n) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET n = $2},
		q{EXECUTE u('counter 1', 5)}))[0]{fingerprint});
	like($r->{statement}, qr/ON CONFLICT \(name\) DO UPDATE SET n = EXCLUDED\.n$/, 'a parameter used twice is EXCLUDED');
}

# ----- what cannot be done -------------------------------------------------------

sub refused
{
	my ($name, $sql, $reason) = @_;
	my @known = grep { $_->{query} !~ /^(DECLARE|PREPARE)/ } fingerprints($sql);
	my @rewritings = rewritings($known[-1]{fingerprint});

	is(join(' ', map { $_->{method} } @rewritings), 'none', "$name: nothing is derived") or diag(explain(\@rewritings));
	is($rewritings[0]{statement}, undef, "$name: no statement");
	like($rewritings[0]{note}, $reason, "$name: why");
	return;
}

refused('no parameters', 'SELECT count(*) FROM posts', qr/no parameters/);
refused('nothing but a limit', 'SELECT id FROM posts ORDER BY id LIMIT 5', qr/none of its parameters/);
refused('a volatile function', 'SELECT chatty(id) FROM posts WHERE author_id = 3', qr/volatile function, chatty\(\)/);
refused('a volatile function in a view', 'SELECT same FROM chatty_authors WHERE id = 3', qr/volatile function, chatty\(\)/);
refused('a queue', 'SELECT id FROM posts WHERE author_id = 3 LIMIT 1 FOR UPDATE SKIP LOCKED', qr/locks the rows/);
refused('a queue that is written', 'UPDATE posts SET status = \'x\' WHERE id = (SELECT id FROM tags WHERE post_id = 3 LIMIT 1 FOR UPDATE SKIP LOCKED)'
	=~ s/SELECT id/SELECT post_id/r, qr/locks the rows/);
refused('an advisory lock', 'SELECT pg_try_advisory_lock(5)', qr/volatile function/);
refused('a CTE that writes', 'WITH d AS (DELETE FROM tags WHERE post_id = 3 RETURNING *) SELECT * FROM d', qr/writes/);
refused('an utility statement', 'EXPLAIN (COSTS off) SELECT 1', qr/not a SELECT/);
refused('what it searches by it assigns', 'UPDATE categories SET parent_id = 3 WHERE parent_id = 9', qr/may depend on the one before/);
refused('it reads what it writes', 'INSERT INTO counters (name, n) VALUES (\'x\', (SELECT max(n) FROM counters))', qr/reads the table that it writes/);
refused('an INSERT of a SELECT', 'INSERT INTO counters (name, n) SELECT title, 1 FROM posts WHERE id = 99999', qr/not an INSERT of VALUES/);
refused('MERGE', 'MERGE INTO counters c USING (VALUES (\'x\', 1)) AS v(name, n) ON c.name = v.name WHEN MATCHED THEN UPDATE SET n = v.n', qr/not a SELECT/);
refused('an array', 'SELECT id FROM (SELECT id, ARRAY[id] AS a FROM posts) AS s WHERE a = \'{3}\'', qr/no array of such/);
refused('a list of rows', 'SELECT id FROM posts WHERE (id, author_id) IN ((1, 2), (3, 4)) AND title = \'x\'', qr/stands for rows/);
refused('a typmod', 'SELECT id FROM authors WHERE name = \'x\'::varchar(3)', qr/syntax error|type modifiers/);

# A table that is not there any more.
{
	my ($select) = grep { $_->{query} =~ /^SELECT id FROM gone/ } fingerprints('CREATE TABLE gone (id int)', 'SELECT id FROM gone WHERE id = 3');
	my ($r) = rewritings($select->{fingerprint});

	is($r->{method}, 'none', 'an unknown table: nothing is derived');
	like($r->{note}, qr/relation "gone" does not exist/, 'an unknown table: why');
}

# ----- bad input ----------------------------------------------------------------

sub error_of
{
	my ($sql, %params) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql", %params);

	return $err;
}

like(error_of('SELECT * FROM vitals.rewrite(1)'), qr/42704: no statement with fingerprint 1\n/, 'an unknown fingerprint');
like(error_of('SELECT * FROM vitals.rewrite(NULL)'), qr/22004: fingerprint must not be null/, 'NULL');
{
	my ($known) = fingerprints('SELECT title FROM posts WHERE id = 3');
	my $f = $known->{fingerprint};

	like(error_of("SELECT * FROM vitals.rewrite($f, 1)"), qr/42704: no statement with fingerprint 1\n/, 'an unknown parent');
	like(error_of("SELECT * FROM vitals.rewrite($f, NULL, '{2}')"), qr/22023: the statement has no parameter \$2.*Its parameters are/s, 'a parameter that is not there');
	like(error_of("SELECT * FROM vitals.rewrite($f, NULL, '{NULL}')"), qr/22023: "vary" must be numbers.*stands for/s, 'no number');
	like(error_of("SELECT * FROM vitals.rewrite($f, NULL, '{-1}')"), qr/22023: "vary" must be numbers/, 'a negative number');
	is($node->safe_psql('postgres', "SELECT method FROM vitals.rewrite($f, NULL, '{}')"), "any_array\nlateral", 'an empty array says nothing');
}

# ----- it leaves no trace -------------------------------------------------------

{
	my ($known) = fingerprints('UPDATE posts SET title = \'x\' WHERE id = 3');
	my $trace = $node->safe_psql('postgres', qq{
		BEGIN;
		SELECT method FROM vitals.rewrite($known->{fingerprint});
		SELECT 'locks', count(*) FROM pg_locks WHERE relation = 'posts'::regclass;
		SELECT 'read only', current_setting('transaction_read_only'), current_setting('client_min_messages'), current_user;
		UPDATE posts SET title = title WHERE id = 3;
		COMMIT;
		SELECT 'counted', count(*) FROM vitals.statements WHERE query ~ 'unnest'});
	is($trace, "update_from\nlocks|0\nread only|off|notice|postgres\ncounted|0", 'it leaves no lock, no setting and no statistics');
}

# An error in the middle that somebody catches leaves him where he was.
{
	my ($known) = fingerprints('SELECT title FROM posts WHERE id = 3');
	my $blocker = session($node);

	$blocker->query_safe('BEGIN; LOCK TABLE posts');
	my $caught = $node->safe_psql('postgres', qq{
		BEGIN;
		CREATE TEMPORARY TABLE said (what text);
		SET statement_timeout = '1s';
		DO \$\$
		BEGIN
			INSERT INTO said VALUES ('before');
			BEGIN
				PERFORM vitals.rewrite($known->{fingerprint});
			EXCEPTION WHEN query_canceled THEN
				INSERT INTO said VALUES ('cancelled as ' || current_user);
			END;
		END \$\$;
		SET statement_timeout = 0;
		SET lock_timeout = '100ms';
		DO \$\$
		BEGIN
			PERFORM vitals.rewrite($known->{fingerprint});
		EXCEPTION WHEN lock_not_available THEN
			INSERT INTO said VALUES ('no lock');
		END \$\$;
		COMMIT;
		SELECT what FROM said});
	is($caught, "before\ncancelled as postgres\nno lock", 'errors are undone to where they are caught');
	$blocker->query_safe('ROLLBACK');
	$blocker->quit;
}

# ----- whose it is ----------------------------------------------------------------

$node->safe_psql('postgres', <<'END');
CREATE ROLE alice LOGIN;
CREATE ROLE mallory LOGIN;
CREATE ROLE monitor LOGIN IN ROLE pg_read_all_stats;
GRANT SELECT ON posts, authors TO alice, mallory;
CREATE SCHEMA mallory AUTHORIZATION mallory;
GRANT USAGE ON SCHEMA mallory TO PUBLIC;
SET ROLE mallory;
CREATE FUNCTION mallory.evil() RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS
	$$ BEGIN RAISE WARNING 'evil runs as %', current_user; RETURN 3; END $$;
END
{
	my ($alices) = map { $_->{fingerprint} } fingerprints('SET ROLE alice', 'SELECT title FROM posts WHERE author_id = 3 AND id > 5', 'RESET ROLE');
	my $call = "SELECT method, note ~ 'analysis only' FROM vitals.rewrite($alices)";
	local $ENV{PGUSER};

	$node->safe_psql('postgres', 'SET ROLE alice; ' . "SELECT title FROM posts WHERE author_id = 4 AND id > 6");
	$ENV{PGUSER} = 'alice';
	is($node->safe_psql('postgres', $call), "any_array|f\nlateral|f", 'one sees one\'s own');
	$ENV{PGUSER} = 'mallory';
	like(error_of($call), qr/42704: no statement with fingerprint/, 'not another\'s');
	$ENV{PGUSER} = 'monitor';
	is($node->safe_psql('postgres', $call), "any_array|t\nlateral|t", 'who reads all statistics sees it, but it is not planned');
}
{
	my ($evil) = map { $_->{fingerprint} } grep { $_->{query} =~ /evil/ }
	  fingerprints('SET ROLE mallory', 'SELECT title FROM posts WHERE author_id = 4 AND id > mallory.evil()', 'RESET ROLE');
	my $offset = -s $node->logfile;
	my $call = "SELECT method FROM vitals.rewrite($evil)";

	is($node->safe_psql('postgres', $call), "any_array\nlateral", 'a superuser sees it');
	my $log = log_tail($node, $offset);
	unlike($log, qr/evil runs/, 'planning runs none of its functions');
	like($node->safe_psql('postgres', "SELECT note FROM vitals.rewrite($evil)"),
		qr/checked by parse analysis only: it would call the function evil/, 'and it is said why it is not done');

	$offset = -s $node->logfile;
	local $ENV{PGUSER} = 'monitor';
	is($node->safe_psql('postgres', $call), "any_array\nlateral", 'who reads all statistics does, too');
	unlike(log_tail($node, $offset), qr/evil runs/, 'and nothing is run');
	$ENV{PGUSER} = 'mallory';
	my ($ret, $out, $err) = $node->psql('postgres', $call);
	is($err, '', 'the role itself is not told what its functions say');
}

# ----- with findings ----------------------------------------------------------------

{
	my @rows = split /\n/, $node->safe_psql('postgres', join("\n",
		'SELECT vitals.reset() \g /dev/null',
		'SELECT id, parent_id, name FROM categories ORDER BY id LIMIT 12 \g /dev/null',
		(map { "SELECT name FROM categories WHERE parent_id = $_ \\g /dev/null" } 1 .. 12),
		q{SELECT f.link, r.method, r.statement FROM vitals.n_plus_one AS f,
			vitals.rewrite(f.fingerprint, f.parent_fingerprint) AS r WHERE f.query ~ 'parent_id ='}));

	is(scalar @rows, 3, 'a finding has its rewritings');
	like($rows[2], qr/\|join\|.*parent_id = p\.id\b/, 'the join goes by the finding\'s link');
}

$node->stop;
done_testing();
