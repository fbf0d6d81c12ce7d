-- What a screen must have left in vitals.n_plus_one, compared in one place for
-- all client languages.
--
-- expected is an array of objects:
--   kind         default n_plus_one
--   repeated     regular expression for the repeated statement
--   parent       regular expression for its parent, or null where there is none;
--                left out where it is not asked
--   repeats      exact number of executions
--   link         regular expression for the link; left out where it is not asked
-- Each element must be found once, and nothing else may be there.  Returns one
-- line per difference, and no rows when all is as expected.

CREATE SCHEMA checks;

CREATE FUNCTION checks.describe(kind text, query text, parent text,
								repeats bigint, link text)
RETURNS text LANGUAGE sql IMMUTABLE
RETURN format('%s × %s %s for %s, link %s', repeats, kind,
			  coalesce(query, 'without text'), coalesce(parent, 'no parent'),
			  coalesce(link, 'none'));

-- A parent whose text is missing is not the same as no parent.
CREATE FUNCTION checks.parent(finding jsonb)
RETURNS text LANGUAGE sql IMMUTABLE
RETURN coalesce(finding ->> 'parent_query',
				'a parent without text, fingerprint ' || (finding ->> 'parent_fingerprint'));

CREATE FUNCTION checks.differences(expected jsonb)
RETURNS SETOF text LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found jsonb[] := ARRAY(
		SELECT to_jsonb(f) FROM vitals.n_plus_one f
		WHERE f.datname = current_database() AND f.username = 'orm'
		ORDER BY f.first_seen, f.query);
	wanted jsonb;
	place int;
	finding jsonb;
BEGIN
	FOR wanted IN SELECT jsonb_array_elements(expected)
	LOOP
		SELECT i INTO place
		FROM generate_subscripts(found, 1) i
		WHERE found[i] ->> 'kind' = coalesce(wanted ->> 'kind', 'n_plus_one')
			AND found[i] ->> 'query' ~ (wanted ->> 'repeated')
			AND CASE WHEN NOT wanted ? 'parent' THEN true
					 WHEN wanted ->> 'parent' IS NULL
					 THEN checks.parent(found[i]) IS NULL
					 ELSE coalesce(checks.parent(found[i]) ~ (wanted ->> 'parent'), false) END
			AND (found[i] ->> 'repeats')::bigint = (wanted ->> 'repeats')::bigint
			AND CASE WHEN wanted ->> 'link' IS NULL THEN true
					 ELSE coalesce(found[i] ->> 'link' ~ (wanted ->> 'link'), false) END
		ORDER BY i LIMIT 1;
		IF place IS NULL THEN
			RETURN NEXT 'expected ' || checks.describe(
				coalesce(wanted ->> 'kind', 'n_plus_one'), wanted ->> 'repeated',
				CASE WHEN wanted ? 'parent' THEN wanted ->> 'parent' ELSE 'any parent' END, (wanted ->> 'repeats')::bigint,
				coalesce(wanted ->> 'link', 'any'));
		ELSE
			found := found[:place - 1] || found[place + 1:];
		END IF;
	END LOOP;

	FOREACH finding IN ARRAY found
	LOOP
		RETURN NEXT 'got ' || checks.describe(
			finding ->> 'kind', finding ->> 'query', checks.parent(finding),
			(finding ->> 'repeats')::bigint, finding ->> 'link');
	END LOOP;
END
$$;
