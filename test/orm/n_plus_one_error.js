'use strict';

// SET pg_vitals.n_plus_one_action = 'error' in a development or test session:
// the lazy screen fails at the statement that makes it an N+1, with SQLSTATE
// VT001 where each ORM puts the server's code, and the eager one does not.

const assert = require('assert/strict');
const { connectAdmin, report } = require('./harness');

const MIN_REPEATS = 5;

async function sequelizeSession() {
  const session = await require('./sequelize/models').openSession();
  const { Post } = session.models;
  return {
    set: (action) => session.sequelize.query(`SET pg_vitals.n_plus_one_action = '${action}'`),
    codeOf: (error) => error.original && error.original.code,
    eager: () => Post.findAll({ include: 'author', order: [['id', 'ASC']], limit: 20 }),
    async lazy(each) {
      for (const post of await Post.findAll({ order: [['id', 'ASC']], limit: 20 })) {
        await post.getAuthor();
        each();
      }
    },
    close: () => session.close(),
  };
}

async function typeormSession(version) {
  process.env.TYPEORM = version;
  delete require.cache[require.resolve('./typeorm/entities')];
  const session = await require('./typeorm/entities').openSession();
  const { manager } = session;
  return {
    set: (action) => manager.query(`SET pg_vitals.n_plus_one_action = '${action}'`),
    codeOf: (error) => error.driverError && error.driverError.code,
    eager: () => manager.find('Post', { relations: { author: true }, order: { id: 'ASC' }, take: 20 }),
    async lazy(each) {
      for (const post of await manager.find('Post', { order: { id: 'ASC' }, take: 20 })) {
        await post.author;
        each();
      }
    },
    close: () => session.close(),
  };
}

// Runs the lazy screen: how many authors it got, and the error that ended it.
async function lazyOutcome(session) {
  let authors = 0;
  try {
    await session.lazy(() => { authors += 1; });
    return { authors };
  } catch (error) {
    return { authors, error };
  }
}

const checks = {
  async 'lazy screen fails with VT001'(session, admin) {
    await admin.query('SELECT vitals.reset()');
    await session.set('error');
    const { authors, error } = await lazyOutcome(session);
    assert.ok(error, `no error, ${authors} authors`);
    assert.equal(session.codeOf(error), 'VT001', error.message);
    assert.equal(authors, MIN_REPEATS - 1, 'authors before the error');
    assert.match(error.message, /FROM "authors"/, 'names the repeated statement');
    assert.match(error.message, /FROM "posts"/, 'names the parent');
  },
  async 'the failed burst is a finding'(session, admin) {
    const { rows } = await admin.query(
      "SELECT kind, repeats::int FROM vitals.n_plus_one WHERE datname = 'orm' AND username = 'orm'");
    assert.deepEqual(rows, [{ kind: 'n_plus_one', repeats: MIN_REPEATS }]);
  },
  async 'eager screen passes in the same session'(session) {
    await session.set('error');
    assert.equal((await session.eager()).length, 20);
  },
  async 'lazy screen fails again'(session) {
    await session.set('error');
    const { authors, error } = await lazyOutcome(session);
    assert.equal(error && session.codeOf(error), 'VT001');
    assert.equal(authors, MIN_REPEATS - 1, 'authors before the error');
  },
  async 'lazy screen passes once the action is off'(session) {
    await session.set('off');
    const { authors, error } = await lazyOutcome(session);
    assert.equal(error, undefined);
    assert.equal(authors, 20);
  },
};

// TypeORM keeps a second promise of a lazy relation, which nobody can handle.
process.on('unhandledRejection', (error) => {
  if (!error.driverError || error.driverError.code !== 'VT001') {
    throw error;
  }
});

async function main() {
  const sessions = {
    sequelize: sequelizeSession,
    'typeorm 1': () => typeormSession('typeorm'),
    'typeorm 0.3': () => typeormSession('typeorm03'),
  };
  const pattern = new RegExp(process.argv[2] || '');
  const admin = await connectAdmin();
  for (const [orm, open] of Object.entries(sessions)) {
    const session = await open();
    for (const [name, check] of Object.entries(checks)) {
      const title = `${orm} n_plus_one_action = error: ${name}`;
      if (pattern.test(title)) {
        report(title, await check(session, admin).then(() => [], (error) => [error.message]));
      }
    }
    await session.close();
  }
  await admin.end();
}

main();
