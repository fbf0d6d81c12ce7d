'use strict';

// libpq's variables (PGHOST, PGDATABASE, ...) name the database.

const assert = require('node:assert');
const { after, test } = require('node:test');
const { Sequelize, DataTypes, QueryTypes } = require('sequelize');

const sequelize = new Sequelize(process.env.PGDATABASE, process.env.PGUSER, process.env.PGPASSWORD, {
  dialect: 'postgres', host: process.env.PGHOST, port: process.env.PGPORT, logging: false,
});
after(() => sequelize.close());

const table = (name, columns) => sequelize.define(name, columns, { timestamps: false });
const Author = table('authors', { name: DataTypes.TEXT });
const Post = table('posts', { title: DataTypes.TEXT, author_id: DataTypes.INTEGER });
Post.belongsTo(Author, { as: 'author', foreignKey: 'author_id' });

// What the callback does must not repeat statements where one would do.
async function noNPlusOne(run, allow = []) {
  const select = (sql, bind) => sequelize.query(sql, { bind, type: QueryTypes.SELECT, plain: true });
  const { mark } = await select('SELECT vitals.mark()');
  await run();
  await select('SELECT vitals.assert_no_n_plus_one($1, $2)', [mark, allow]);
}

async function bylines(options) {
  const lines = [];
  for (const post of await Post.findAll(options)) {
    const author = post.author || await post.getAuthor();
    lines.push(`${post.title} by ${author.name}`);
  }
  return lines;
}

test('eager', () => noNPlusOne(async () => assert.strictEqual((await bylines({ include: 'author' })).length, 20)));

test('lazy', () => noNPlusOne(async () => assert.strictEqual((await bylines({})).length, 20)));

test('allowed', () => noNPlusOne(async () => assert.strictEqual((await bylines({})).length, 20),
  ['posts.author_id → authors.id']));
