'use strict';

// libpq's variables (PGHOST, PGDATABASE, ...) name the database.

const assert = require('node:assert');
const { after, before, test } = require('node:test');
const { DataSource, EntitySchema } = require('typeorm');

const Author = new EntitySchema({
  name: 'Author', tableName: 'authors',
  columns: { id: { type: 'int', primary: true }, name: { type: 'text' } },
});
const Post = new EntitySchema({
  name: 'Post', tableName: 'posts',
  columns: { id: { type: 'int', primary: true }, title: { type: 'text' } },
  relations: {
    author: { type: 'many-to-one', target: 'Author', joinColumn: { name: 'author_id' }, lazy: true },
  },
});

const db = new DataSource({
  type: 'postgres', host: process.env.PGHOST, port: Number(process.env.PGPORT), username: process.env.PGUSER,
  password: process.env.PGPASSWORD, database: process.env.PGDATABASE, entities: [Author, Post],
});
before(() => db.initialize());
after(() => db.destroy());

// What the callback does must not repeat statements where one would do.
async function noNPlusOne(run, allow = []) {
  const [{ mark }] = await db.query('SELECT vitals.mark()');
  await run();
  await db.query('SELECT vitals.assert_no_n_plus_one($1, $2)', [mark, allow]);
}

async function bylines(options) {
  const lines = [];
  for (const post of await db.getRepository('Post').find(options))
    lines.push(`${post.title} by ${(await post.author).name}`);
  return lines;
}

test('eager', () => noNPlusOne(async () =>
  assert.strictEqual((await bylines({ relations: { author: true } })).length, 20)));

test('lazy', () => noNPlusOne(async () => assert.strictEqual((await bylines({})).length, 20)));

test('allowed', () => noNPlusOne(async () => assert.strictEqual((await bylines({})).length, 20),
  ['%FROM "authors"%']));
