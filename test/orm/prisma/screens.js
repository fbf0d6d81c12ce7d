'use strict';

// The screens on Prisma 7 with its driver adapter on node-pg: its query compiler
// needs no engine of its own.  All statements are unnamed, with parameters, also
// LIMIT and OFFSET.  Beside each version: what it sends.

const { PrismaPg } = require('@prisma/adapter-pg');
const { PrismaClient } = require('@prisma/client');
const { main } = require('../harness');

async function openSession() {
  const client = new PrismaClient({
    adapter: new PrismaPg({
      host: process.env.PGHOST,
      port: Number(process.env.PGPORT),
      database: 'orm',
      user: 'orm',
      application_name: 'prisma',
      max: 1,
      idleTimeoutMillis: 60000,
    }),
  });
  await client.$connect();
  return {
    run: (screen, inTransaction) => (inTransaction
      ? client.$transaction((transaction) => screen(transaction), { timeout: 30000 })
      : screen(client)),
    close: () => client.$disconnect(),
  };
}

const byId = { orderBy: { id: 'asc' } };
const firstPosts = { ...byId, take: 20 };
const numbers = [...Array(12).keys()].map((i) => i + 1);
const note = (i) => ({ articleId: 3, body: `Note ${i}` });

const POSTS = 'FROM "public"."posts"';
const ARTICLES = 'FROM "public"."articles" WHERE .* ORDER BY';
const write = (repeated, parent) => ({
  kind: 'n_plus_one_write', repeated, repeats: 12, ...(parent && { parent }),
});
const authorsOfPosts = {
  repeated: 'FROM "public"."authors" WHERE ', parent: POSTS, repeats: 20, link: 'posts\\.author_id → authors\\.id',
};
const commentsOfPosts = {
  repeated: 'FROM "public"."comments" WHERE ', parent: POSTS, repeats: 20, link: 'comments\\.post_id → posts\\.id',
};

// forEach(rows, step): one after the other.
async function forEach(rows, step) {
  for (const row of await rows) {
    await step(row);
  }
}

async function pagesByCursor(db) {
  let page = await db.post.findMany({ ...byId, take: 10 });
  while (page.length) {
    page = await db.post.findMany({ ...byId, take: 10, skip: 1, cursor: { id: page[page.length - 1].id } });
  }
}

const reads = [
  {
    name: 'post list with author by findUnique',
    // lazy: 20 × SELECT … FROM "public"."authors" WHERE ("public"."authors"."id" = $1 AND 1=1) LIMIT $2 OFFSET $3
    // include: 1 × SELECT … FROM "public"."authors" WHERE "public"."authors"."id" IN ($1, …) OFFSET $n
    lazy: {
      finds: [authorsOfPosts],
      run: (db) => forEach(db.post.findMany(firstPosts), (post) => db.author.findUnique({ where: { id: post.authorId } })),
    },
    eager: {
      include: (db) => db.post.findMany({ ...firstPosts, include: { author: true } }),
      // all findUnique of one tick become one statement
      'findUnique at once': async (db) => Promise.all((await db.post.findMany(firstPosts))
        .map((post) => db.author.findUnique({ where: { id: post.authorId } }))),
    },
  },
  {
    name: 'post list with author by findFirst, all at once',
    lazy: {
      finds: [authorsOfPosts],
      run: async (db) => Promise.all((await db.post.findMany(firstPosts))
        .map((post) => db.author.findFirst({ where: { id: post.authorId } }))),
    },
  },
  {
    name: 'post list with comments',
    lazy: {
      finds: [commentsOfPosts],
      run: (db) => forEach(db.post.findMany(firstPosts), (post) => db.comment.findMany({ where: { postId: post.id } })),
    },
    eager: {
      include: (db) => db.post.findMany({ ...firstPosts, include: { comments: { include: { author: true } } } }),
    },
  },
  {
    name: 'post list with comments by the fluent interface',
    // lazy: 20 × the post again, 20 × its comments
    lazy: {
      finds: [
        { repeated: 'FROM "public"."posts" WHERE \\("public"."posts"."id" = ', parent: `${POSTS} WHERE .* ORDER BY`, repeats: 20 },
        { ...commentsOfPosts, parent: `${POSTS} WHERE ` },
      ],
      run: (db) => forEach(db.post.findMany(firstPosts), (post) => db.post.findUnique({ where: { id: post.id } }).comments()),
    },
  },
  {
    name: 'post list with comment counts',
    lazy: {
      finds: [{ ...commentsOfPosts, repeated: 'SELECT COUNT.* FROM .*"public"."comments" WHERE ' }],
      run: (db) => forEach(db.post.findMany(firstPosts), (post) => db.comment.count({ where: { postId: post.id } })),
    },
    eager: {
      _count: (db) => db.post.findMany({ ...firstPosts, include: { _count: { select: { comments: true } } } }),
    },
  },
  {
    name: 'orders with items and products',
    lazy: {
      finds: [
        {
          repeated: 'FROM "public"."order_items" WHERE ', parent: 'FROM "public"."orders"', repeats: 6, link: 'order_items\\.order_id → orders\\.id',
        },
        {
          repeated: 'FROM "public"."products" WHERE ', parent: 'FROM "public"."order_items"', repeats: 18, link: 'order_items\\.product_id → products\\.id',
        },
      ],
      run: (db) => forEach(db.order.findMany({ orderBy: [{ placedOn: 'asc' }, { id: 'asc' }], take: 6 }),
        (order) => forEach(db.orderItem.findMany({ where: { orderId: order.id } }),
          (item) => db.product.findUnique({ where: { id: item.productId } }))),
    },
    eager: {
      include: (db) => db.order.findMany({
        orderBy: [{ placedOn: 'asc' }, { id: 'asc' }], take: 6, include: { items: { include: { product: true } } },
      }),
    },
  },
  {
    name: 'currency loaded again for each line',
    lazy: {
      finds: [{ kind: 'duplicate', repeated: 'FROM "public"."settings" WHERE ', parent: null, repeats: 8 }],
      run: (db) => forEach([...Array(8)], () => db.setting.findUnique({ where: { key: 'ui.currency' } })),
    },
  },
  {
    name: 'post page',
    plain: (db) => db.post.findUnique({
      where: { slug: 'post-7' }, include: { author: true, comments: { include: { author: true } } },
    }),
  },
  {
    // plain: 12 × … WHERE "id" >= (SELECT "id" FROM "posts" WHERE ("id") = ($1)) ORDER BY "id" LIMIT $2 OFFSET $3
    name: 'all posts in pages by cursor',
    modes: ['autocommit', 'pooled'],
    plain: pagesByCursor,
  },
  {
    name: 'all posts in pages by cursor in a transaction',
    modes: ['transaction'],
    kinds: ['batch_iteration'],
    plain: pagesByCursor,
  },
  {
    name: 'all posts in offset pages with authors',
    plain: (db) => forEach([...Array(12).keys()],
      (page) => db.post.findMany({ ...byId, take: 10, skip: page * 10, include: { author: true } })),
  },
  {
    name: 'twelve post pages of different posts back to back',
    modes: ['autocommit', 'pooled'],
    plain: (db) => forEach(numbers, (i) => db.post.findUnique({
      where: { slug: `post-${i * 9 % 37 + 1}` }, include: { author: true, comments: { include: { author: true } } },
    })),
  },
];

// --- of kinds of their own ----------------------------------------------------

const kinds = [
  {
    name: 'articles updated one by one',
    lazy: {
      finds: [write('UPDATE "public"."articles" SET', ARTICLES)],
      run: (db) => forEach(db.article.findMany(byId),
        ({ id }) => db.article.update({ where: { id }, data: { views: { increment: 1 } } })),
    },
    eager: {
      updateMany: (db) => db.article.updateMany({ data: { views: { increment: 1 } } }),
    },
  },
  {
    name: 'articles updated by an array of updates in one transaction',
    // lazy: BEGIN, 12 × UPDATE … RETURNING …, COMMIT
    lazy: {
      modes: ['autocommit', 'pooled'],
      finds: [write('UPDATE "public"."articles" SET', ARTICLES)],
      run: async (db) => db.$transaction((await db.article.findMany(byId))
        .map(({ id }) => db.article.update({ where: { id }, data: { views: { increment: 1 } } }))),
    },
  },
  {
    name: 'notes created one by one',
    lazy: {
      modes: ['transaction'],
      finds: [write('INSERT INTO "public"."notes"')],
      run: (db) => forEach(numbers, (i) => db.note.create({ data: note(i) })),
    },
    eager: {
      createMany: (db) => db.note.createMany({ data: numbers.map(note) }),
      createManyAndReturn: (db) => db.note.createManyAndReturn({ data: numbers.map(note) }),
    },
  },
  {
    name: 'note created for each article',
    lazy: {
      finds: [write('INSERT INTO "public"."notes"')],
      run: (db) => forEach(db.article.findMany(byId),
        ({ id }) => db.note.create({ data: { articleId: id, body: 'About it' } })),
    },
  },
  {
    name: 'articles deleted one by one',
    lazy: {
      finds: [write('DELETE FROM "public"."articles"', ARTICLES)],
      run: (db) => forEach(db.article.findMany(byId), ({ id }) => db.article.delete({ where: { id } })),
    },
    eager: {
      deleteMany: (db) => db.article.deleteMany(),
    },
  },
  {
    name: 'subscribers by upsert',
    lazy: {
      modes: ['transaction'],
      finds: [write('INSERT INTO "public"."subscribers"')],
      run: (db) => forEach(numbers.map((i) => `known${i}@example.org`), (email) => db.subscriber.upsert({
        where: { email }, create: { email }, update: { visits: { increment: 1 } },
      })),
    },
  },
  {
    name: 'way from a folder up to its root',
    lazy: {
      finds: [{ kind: 'recursive_walk', repeated: 'FROM "public"."folders" WHERE ', parent: null, repeats: 12 }],
      async run(db) {
        for (let id = 12; id !== null;) {
          ({ parentId: id } = await db.folder.findUnique({ where: { id } }));
        }
      },
    },
    eager: {
      'nested include': (db) => db.folder.findUnique({
        where: { id: 12 }, include: { parent: { include: { parent: { include: { parent: true } } } } },
      }),
    },
  },
  {
    name: 'marks created at once, counted by a row trigger',
    lazy: {
      finds: [{
        kind: 'function_per_row', repeated: 'UPDATE articles SET views', parent: 'INSERT INTO "public"."marks"', repeats: 12, inside: true,
      }],
      run: (db) => db.mark.createMany({ data: numbers.map((i) => ({ articleId: i })) }),
    },
  },
];

main('prisma', [...reads, ...kinds], openSession);
