-- Settings: what there is, and what it does to collection.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;

-- with 32 bits there is less memory
SELECT name, vartype, unit, min_val, replace(max_val, '2097151', '2147483647') AS max_val, boot_val, context, enumvals
FROM pg_settings WHERE name LIKE 'pg\_vitals.%' ORDER BY name COLLATE "C";
SELECT count(*) AS undescribed FROM pg_settings WHERE name LIKE 'pg\_vitals.%' AND short_desc = '';

-- enabled: off, nothing is seen, also of what begins while it is off
SELECT vitals.reset() > 0 AS reset;
SET pg_vitals.enabled = off;
SELECT 'off', 1;
CREATE TABLE seen (id int);
SET pg_vitals.enabled = on;
SELECT 'on', 1, 2;
SELECT query FROM vitals.statements WHERE datname = current_database() AND query !~ 'vitals' ORDER BY query COLLATE "C";
-- switched in the middle of a statement, or of a transaction
SELECT vitals.reset() > 0 AS reset;
DO $$ BEGIN PERFORM set_config('pg_vitals.enabled', 'off', false); END $$;
DO $$ BEGIN PERFORM set_config('pg_vitals.enabled', 'on', false); END $$;
BEGIN;
DECLARE c CURSOR FOR SELECT generate_series(1, 10) AS g;
FETCH 2 FROM c;
SET pg_vitals.enabled = off;
FETCH 2 FROM c;
SET pg_vitals.enabled = on;
FETCH 2 FROM c;
COMMIT;
SELECT calls, rows, query FROM vitals.statements
WHERE datname = current_database() AND query ~ '^(FETCH|DECLARE|COMMIT)' ORDER BY query COLLATE "C";

-- ignore_applications: names, as they are, between commas
SELECT vitals.reset() > 0 AS reset;
SET pg_vitals.ignore_applications = 'pg_dump, my exporter ,,other';
SET application_name = 'my exporter';
SELECT 'ignored', 1;
SET application_name = 'my exporter 2';
SELECT 'counted', 1, 2;
SET application_name = 'other';
SELECT 'ignored', 1;
SET application_name = 'My Exporter';
SELECT 'counted', 1, 2;
SET application_name = '';
SELECT 'counted', 1, 2;
SET pg_vitals.ignore_applications = '';
SET application_name = 'other';
SELECT 'counted', 1, 2;
RESET pg_vitals.ignore_applications;
RESET application_name;
SELECT calls, query FROM vitals.statements WHERE datname = current_database() AND query ~ '^SELECT .1, ' ORDER BY query COLLATE "C";

-- wrong values
SET pg_vitals.track = 'most';
SET pg_vitals.n_plus_one_min_repeats = 1;
SET pg_vitals.n_plus_one_min_repeats = 1001;
SET pg_vitals.n_plus_one_action = 'panic';
SET pg_vitals.max_statements = 6000;
SET pg_vitals.text_memory = '1GB';
SET pg_vitals.persist_interval = 5;
SET pg_vitals.nonsense = 1;

-- a setting of a role holds for its sessions
CREATE ROLE vitals_silent;
ALTER ROLE vitals_silent SET pg_vitals.track = 'none';
SELECT setconfig FROM pg_db_role_setting WHERE setrole = 'vitals_silent'::regrole;
DROP ROLE vitals_silent;

DROP TABLE seen;
