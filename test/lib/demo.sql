-- What `make demo` prints, for a terminal of 120 columns.

-- A labelled field, its text in lines of at most 100 characters, broken at blanks.
CREATE FUNCTION pg_temp.field(label text, value text) RETURNS text
BEGIN ATOMIC
	WITH flat AS (
		SELECT regexp_replace(regexp_replace(value, '\s+', ' ', 'g'), '(\S{100})', '\1 ', 'g') AS text
	)
	SELECT '    ' || rpad(label, 12)
		|| rtrim(regexp_replace(text, '(.{1,100})(?: +|$)', E'\\1\n' || repeat(' ', 16), 'g'), E' \n')
		|| E'\n'
	  FROM flat;
END;

CREATE FUNCTION pg_temp.ms(value double precision) RETURNS text
RETURN CASE WHEN value < 10 THEN round(value::numeric, 2) ELSE round(value::numeric) END || ' ms';

\pset format unaligned
\pset tuples_only on
\pset footer off

\echo
\echo ======================================== N+1 findings: vitals.n_plus_one ===============================================
\echo
SELECT format(E'%s. %s (%s): %s times in %s, up to %s in a row\n',
			  row_number() OVER worst, kind, confidence, repeats,
			  CASE bursts WHEN 1 THEN 'one burst' ELSE bursts || ' bursts' END, max_repeats)
	|| concat(pg_temp.field('repeated', query),
			  pg_temp.field('for rows of', parent_query),
			  pg_temp.field('link', link),
			  pg_temp.field('time', format('%s in the server, %s waiting in between; one statement instead saves %s to %s',
										   pg_temp.ms(exec_time + plan_time), pg_temp.ms(wait_time),
										   pg_temp.ms(wasted_time_low), pg_temp.ms(wasted_time_high))),
			  pg_temp.field('suggestion', suggestion))
  FROM vitals.n_plus_one
WINDOW worst AS (ORDER BY exec_time + plan_time + wait_time DESC, fingerprint);

\pset format aligned
\pset tuples_only off
\pset border 1
\echo ======================================== Top statements: vitals.statements =============================================
\echo
SELECT calls,
	   round(total_exec_time::numeric, 1) AS total_ms,
	   round(mean_exec_time::numeric, 3) AS mean_ms,
	   round(p95_exec_time::numeric, 3) AS p95_ms,
	   round(p99_exec_time::numeric, 3) AS p99_ms,
	   rows,
	   CASE WHEN length(text) > 58 THEN left(text, 57) || '…' ELSE text END AS statement
  FROM (SELECT *, regexp_replace(query, '\s+', ' ', 'g') AS text FROM vitals.statements) AS s
 WHERE toplevel AND query !~ '(vitals|pg_temp)\.'
 ORDER BY total_exec_time DESC
 LIMIT 12;
