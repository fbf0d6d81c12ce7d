'use strict';

// libpq's variables (PGHOST, PGDATABASE, ...) name the database.

const assert = require('node:assert');
const { after, test } = require('node:test');
const { PrismaPg } = require('@prisma/adapter-pg');
const { PrismaClient } = require('./generated');

const prisma = new PrismaClient({
  adapter: new PrismaPg({
    host: process.env.PGHOST, port: Number(process.env.PGPORT), user: process.env.PGUSER,
    password: process.env.PGPASSWORD, database: process.env.PGDATABASE,
  }),
});
after(() => prisma.$disconnect());

// What the callback does must not repeat statements where one would do.
async function noNPlusOne(run, allow = []) {
  const [{ mark }] = await prisma.$queryRaw`SELECT vitals.mark()`;
  await run();
  await prisma.$executeRaw`SELECT vitals.assert_no_n_plus_one(${mark}, ${allow}::text[])`;
}

async function bylines(options) {
  const lines = [];
  for (const post of await prisma.post.findMany(options)) {
    const author = post.author || await prisma.author.findUnique({ where: { id: post.authorId } });
    lines.push(`${post.title} by ${author.name}`);
  }
  return lines;
}

test('eager', () => noNPlusOne(async () =>
  assert.strictEqual((await bylines({ include: { author: true } })).length, 20)));

test('lazy', () => noNPlusOne(async () => assert.strictEqual((await bylines({})).length, 20)));

test('allowed', () => noNPlusOne(async () => assert.strictEqual((await bylines({})).length, 20),
  ['posts.author_id → authors.id']));
