'use strict';

// Runs the screens of one ORM and compares what they leave in vitals.n_plus_one
// with what each of them declares.
//
// A screen is { name, lazy, eager, plain, modes, kinds }:
//   lazy   { finds, run, modes }  the version with the N+1, and the findings it makes
//   eager  { label: run }  correct versions of the same screen
//   plain  run             a screen that has no N+1 to begin with
//   modes  where it can run, by default in all of them
// run(db, options) gets what the ORM's adapter gives it.
//
// Each version runs in three modes:
//   autocommit   in a session of its own, each statement its own transaction
//   transaction  in a session of its own, all in one transaction
//   pooled       all screens one after the other in one session, as the
//                requests of a busy server share a pool's connection
// A session shared by all screens repeats many statements with the same
// parameters, so a duplicate is asked for in the first two modes only.

const { Client } = require('pg');

//
// A version whose findings are of kinds that ORM_KINDS does not name is left out.
// So is one that has none of a kind that the detector must know to be silent, which
// the screen names in its kinds.

const MODES = ['autocommit', 'transaction', 'pooled'];
const KINDS = process.env.ORM_KINDS.split(',');

// Statements sent since the last call of sentSince(), for the check that a lazy
// screen still sends what its declaration says.
let sent = [];
const query = Client.prototype.query;
Client.prototype.query = function (config, values, callback) {
  if (!this.isAdmin) {
    const text = typeof config === 'string' ? config : config.text;
    const params = Array.isArray(values) ? values : config.values;
    if (/^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b/i.test(text) && !/pg_catalog|pg_type|version\(\)|1\+1|current_schema|current_database/i.test(text)) {
      sent.push({ text, params });
    }
  }
  return query.call(this, config, values, callback);
};

function sentSince() {
  const statements = sent;
  sent = [];
  return statements;
}

async function connectAdmin() {
  const admin = new Client({ database: 'orm' });
  admin.isAdmin = true;
  await admin.connect();
  return admin;
}

// The versions of all screens: { title, run, finds, screen }.
function versionsOf(orm, screens) {
  return screens.flatMap((screen) => [
    ...(screen.lazy ? [{ label: 'lazy', ...screen.lazy }] : []),
    ...Object.entries(screen.eager || {}).map(([how, run]) => ({ label: `eager (${how})`, run, finds: [] })),
    ...(screen.plain ? [{ label: 'plain', run: screen.plain, finds: [] }] : []),
  ].map((version) => ({
    modes: screen.modes || MODES, ...version, screen, title: `${orm} ${version.label} ${screen.name}`,
  })));
}

const kindsOf = ({ finds, screen }) => [...finds.map((find) => find.kind || 'n_plus_one'), ...(screen.kinds || [])];

// The versions whose kinds of findings are there; says which kinds the others wait for.
function withKinds(orm, versions) {
  const waiting = versions.filter((version) => !kindsOf(version).every((kind) => KINDS.includes(kind)));
  if (waiting.length) {
    const missing = new Set(waiting.flatMap(kindsOf).filter((kind) => !KINDS.includes(kind)));
    console.log(`# ${orm}: ${waiting.length} screens left out, of kinds ${[...missing].sort().join(', ')}`);
  }
  return versions.filter((version) => !waiting.includes(version));
}

// What is wrong with the statements themselves: a lazy screen must send each
// repeated statement as often as it says, unless the server sends it itself
// (inside: a function, a trigger), an eager one fewer than the lazy one.
function wrongStatements(version, statements) {
  const wrong = version.finds.filter((find) => !find.inside).flatMap((find) => {
    const times = statements.filter(({ text }) => new RegExp(find.repeated).test(text)).length;
    return times === find.repeats ? [] : [`screen sends ${times}, not ${find.repeats}, of ${find.repeated}`];
  });
  if (version.label === 'lazy') {
    version.screen.lazySends = statements.length;
  } else if (version.screen.lazySends <= statements.length) {
    wrong.push(`eager screen sends ${statements.length} statements, the lazy one ${version.screen.lazySends}`);
  }
  return wrong;
}

async function differences(admin, version, mode) {
  const { rows } = await admin.query(
    'SELECT d FROM checks.differences($1) d', [JSON.stringify(version.finds)]);
  const askedDuplicate = version.finds.some((find) => find.kind === 'duplicate');
  return rows.map((row) => row.d)
    .filter((d) => mode !== 'pooled' || askedDuplicate || !/^got \d+ × duplicate /.test(d));
}

async function runVersion(admin, session, version, mode) {
  await admin.query('SELECT restore(), vitals.reset()');
  sentSince();
  try {
    await session.run(version.run, mode === 'transaction');
  } catch (error) {
    return [`screen failed: ${error.message}`];
  }
  const wrong = wrongStatements(version, sentSince());
  return wrong.concat(await differences(admin, version, mode));
}

function report(title, wrong) {
  console.log(`${wrong.length ? 'not ok' : 'ok'} - ${title}`);
  for (const line of wrong) {
    console.log(`#   ${line.replace(/\s+/g, ' ')}`);
  }
}

async function runMode(admin, openSession, versions, mode) {
  let session = null;
  for (const version of versions) {
    if (!session) {
      session = await openSession();
    }
    report(`${version.title} (${mode})`, await runVersion(admin, session, version, mode));
    if (mode !== 'pooled') {
      await session.close();
      session = null;
    }
  }
  if (session) {
    await session.close();
  }
}

// Prints what each version sends, identical statements counted, and checks
// nothing: the source of the shapes noted beside the screens.
async function printStatements(admin, openSession, versions) {
  for (const version of versions) {
    await admin.query('SELECT restore()');
    const session = await openSession();
    sentSince();
    await session.run(version.run, version.modes[0] === 'transaction');
    const shapes = new Map();
    for (const { text, params } of sentSince()) {
      const shape = text.replace(/'[^']*'/g, "'…'").replace(/(= |\(|, )\d+\b/g, '$1…');
      const known = shapes.get(shape) || { times: 0, text, params };
      known.times += 1;
      shapes.set(shape, known);
    }
    console.log(`\n${version.title}`);
    for (const { times, text, params } of shapes.values()) {
      console.log(`  ${times} × ${text} ${params && params.length ? JSON.stringify(params) : ''}`);
    }
    await session.close();
  }
}

// Runs all screens, or with --sql prints what they send.  A further argument
// selects screens by a regular expression on their titles.
async function main(orm, screens, openSession) {
  const args = process.argv.slice(2);
  const pattern = new RegExp(args.find((arg) => !arg.startsWith('--')) || '');
  const versions = versionsOf(orm, screens).filter((version) => pattern.test(version.title));
  const admin = await connectAdmin();
  if (args.includes('--sql')) {
    await printStatements(admin, openSession, versions);
  } else {
    const chosen = withKinds(orm, versions);
    for (const mode of MODES) {
      await runMode(admin, openSession, chosen.filter(({ modes }) => modes.includes(mode)), mode);
    }
  }
  await admin.end();
}

module.exports = { main, connectAdmin, report };
