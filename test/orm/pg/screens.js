'use strict';

// The screens on node-pg without an ORM.  Without values a query goes over the
// simple protocol, with values over the extended one, unnamed, or prepared under
// the name it is given.

const { Client } = require('pg');
const { main } = require('../harness');

async function openSession() {
  const client = new Client({
    host: process.env.PGHOST, port: process.env.PGPORT, database: 'orm', user: 'orm', application_name: 'pg',
  });
  await client.connect();
  const db = async (...query) => (await client.query(...query)).rows;
  return {
    async run(screen, inTransaction) {
      await (inTransaction && client.query('BEGIN'));
      await screen(db);
      await (inTransaction && client.query('COMMIT'));
    },
    close: () => client.end(),
  };
}

const each = (array, step) => array.reduce((before, item) => before.then(() => step(item)), Promise.resolve());

const LIST = 'SELECT id, author_id, title FROM posts ORDER BY id LIMIT 20';
const ARTICLES = 'SELECT id, views FROM articles ORDER BY id';
const AUTHORS = {
  repeated: 'FROM authors WHERE id = ', parent: 'FROM posts ORDER BY', repeats: 20, link: 'posts\\.author_id → authors\\.id',
};
const update = { kind: 'n_plus_one_write', repeated: 'UPDATE articles SET', parent: 'FROM articles ORDER BY', repeats: 12 };
const insert = { kind: 'n_plus_one_write', repeated: 'INSERT INTO notes', repeats: 12 };

// lazyList(finds, step): the list of posts, and step for each of them.
const lazyList = (find, step) => ({
  finds: [find],
  run: async (db) => each(await db(LIST), (post) => step(db, post)),
});

const protocols = [
  {
    name: 'post list with author, simple with literals',
    lazy: lazyList(AUTHORS, (db, post) => db(`SELECT name FROM authors WHERE id = ${post.author_id}`)),
    eager: {
      join: (db) => db('SELECT p.id, a.name FROM posts p JOIN authors a ON a.id = p.author_id ORDER BY p.id LIMIT 20'),
      IN: async (db) => db(`SELECT name FROM authors WHERE id IN (${(await db(LIST)).map((post) => post.author_id)})`),
    },
  },
  {
    name: 'post list with author, unnamed with parameters',
    lazy: lazyList(AUTHORS, (db, post) => db('SELECT name FROM authors WHERE id = $1', [post.author_id])),
    eager: {
      ANY: async (db) => db('SELECT name FROM authors WHERE id = ANY($1)', [(await db(LIST)).map((post) => post.author_id)]),
    },
  },
  {
    name: 'post list with author, prepared under a name',
    lazy: lazyList(AUTHORS, (db, post) => db({
      name: 'author by id', text: 'SELECT name FROM authors WHERE id = $1', values: [post.author_id],
    })),
    eager: {
      join: (db) => db({
        name: 'posts with author',
        text: 'SELECT p.id, a.name FROM posts p JOIN authors a ON a.id = p.author_id ORDER BY p.id LIMIT 20',
      }),
    },
  },
  {
    // The list is prepared, too, and a second screen uses both names again.
    name: 'two post lists with author, all prepared under names',
    lazy: {
      finds: [{ ...AUTHORS, repeats: 40 }],
      run: (db) => each([0, 20], async (offset) => {
        const posts = await db({
          name: 'posts', text: 'SELECT id, author_id FROM posts ORDER BY id LIMIT 20 OFFSET $1', values: [offset],
        });
        await each(posts, (post) => db({
          name: 'author by id', text: 'SELECT name FROM authors WHERE id = $1', values: [post.author_id],
        }));
      }),
    },
  },
  {
    name: 'post list with author, operands in the other order',
    lazy: lazyList({ ...AUTHORS, repeated: 'FROM authors WHERE .* = id' },
      (db, post) => db('SELECT name FROM authors WHERE $1 = id', [post.author_id])),
  },
  {
    name: 'post list with author, array of one',
    lazy: lazyList({ ...AUTHORS, repeated: 'FROM authors WHERE id = ANY' },
      (db, post) => db('SELECT name FROM authors WHERE id = ANY($1)', [[post.author_id]])),
  },
  {
    name: 'post list with author by SQL EXECUTE',
    lazy: {
      finds: [{ ...AUTHORS, inside: true }],
      async run(db) {
        await db('PREPARE author_by_id AS SELECT name FROM authors WHERE id = $1');
        await each(await db(LIST), (post) => db(`EXECUTE author_by_id (${post.author_id})`));
        await db('DEALLOCATE author_by_id');
      },
    },
  },
  {
    name: 'post list with author, all queries queued at once',
    lazy: {
      finds: [AUTHORS],
      run: async (db) => Promise.all((await db(LIST))
        .map((post) => db('SELECT name FROM authors WHERE id = $1', [post.author_id]))),
    },
  },
  {
    name: 'post list with comments, bigint key against quoted literals',
    lazy: {
      finds: [{ repeated: 'FROM comments WHERE id = ', parent: 'SELECT id FROM comments', repeats: 12 }],
      run: async (db) => each(await db('SELECT id FROM comments ORDER BY id LIMIT 12'),
        (comment) => db(`SELECT body FROM comments WHERE id = '${comment.id}'`)),
    },
  },
  {
    name: 'tags of posts by both columns of their key',
    lazy: {
      finds: [{ repeated: 'FROM post_tags WHERE post_id = ', parent: 'FROM post_tags ORDER BY', repeats: 12 }],
      run: async (db) => each(await db('SELECT post_id, tag_id FROM post_tags ORDER BY post_id, tag_id LIMIT 12'),
        (row) => db('SELECT 1 FROM post_tags WHERE post_id = $1 AND tag_id = $2', [row.post_id, row.tag_id])),
    },
  },
  {
    name: 'post list fetched from a cursor, with comments',
    modes: ['transaction'],
    lazy: {
      finds: [{ repeated: 'FROM comments WHERE post_id = ', parent: 'FROM posts ORDER BY', repeats: 20 }],
      async run(db) {
        await db(`DECLARE list CURSOR FOR ${LIST}`);
        await each(await db('FETCH 20 FROM list'), (post) => db('SELECT body FROM comments WHERE post_id = $1', [post.id]));
        await db('CLOSE list');
      },
    },
  },
];

const SKIP_LOCKED = 'SELECT id FROM posts WHERE id % 12 = $1 ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED';

const quiet = [
  {
    // Each takes what is not taken, and deletes it.
    name: 'twelve jobs taken one at a time and done',
    modes: ['autocommit', 'pooled'],
    plain: (db) => each([...Array(12)], async () => {
      await db('BEGIN');
      const [job] = await db('SELECT id FROM subscribers ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED');
      await db('DELETE FROM subscribers WHERE id = $1', [job.id]);
      await db('COMMIT');
    }),
  },
  {
    name: 'twelve inserts of five notes each in one transaction',
    modes: ['transaction'],
    plain: (db) => each([...Array(12).keys()], (batch) => db(
      'INSERT INTO notes (article_id, body) SELECT $1, unnest($2::text[])', [batch + 1, ['a', 'b', 'c', 'd', 'e']])),
  },
  {
    name: 'twelve jobs taken one at a time',
    modes: ['autocommit', 'pooled'],
    plain: (db) => each([...Array(12).keys()], async (job) => {
      await db('BEGIN');
      await db(SKIP_LOCKED, [job]);
      await db('COMMIT');
    }),
  },
  {
    name: 'thirty times the time of day and the version',
    plain: (db) => each([...Array(30)], async () => {
      await db('SELECT now()');
      await db('SHOW server_version');
    }),
  },
  {
    name: 'types looked up in the catalog',
    plain: (db) => each([16, 20, 21, 23, 25, 114, 700, 701, 1043, 1082, 1114, 1184],
      (type) => db('SELECT typname FROM pg_type WHERE oid = $1', [type])),
  },
];

// --- of kinds of their own ----------------------------------------------------

const kinds = [
  {
    name: 'articles updated one by one, prepared under a name',
    lazy: {
      finds: [update],
      run: async (db) => each(await db(ARTICLES), (article) => db({
        name: 'set views', text: 'UPDATE articles SET views = $1 WHERE id = $2', values: [article.views + 1, article.id],
      })),
    },
    eager: {
      unnest: async (db) => db(
        'UPDATE articles a SET views = n.views FROM unnest($1::int[], $2::int[]) n(id, views) WHERE a.id = n.id',
        ((articles) => [articles.map(({ id }) => id), articles.map(({ views }) => views + 1)])(await db(ARTICLES))),
      'one message': async (db) => db((await db(ARTICLES))
        .map(({ id, views }) => `UPDATE articles SET views = ${views + 1} WHERE id = ${id}`).join(';')),
    },
  },
  {
    name: 'articles updated one by one, simple with literals',
    lazy: {
      finds: [update],
      run: async (db) => each(await db(ARTICLES),
        ({ id, views }) => db(`UPDATE articles SET views = ${views + 1} WHERE id = ${id}`)),
    },
  },
  {
    name: 'articles updated in a transaction each',
    modes: ['autocommit', 'pooled'],
    lazy: {
      finds: [update],
      run: async (db) => each(await db(ARTICLES), async ({ id, views }) => {
        await db('BEGIN');
        await db('UPDATE articles SET views = $1 WHERE id = $2', [views + 1, id]);
        await db('COMMIT');
      }),
    },
  },
  {
    name: 'notes inserted in a transaction each',
    modes: ['autocommit', 'pooled'],
    lazy: {
      finds: [{ ...insert, parent: null }],
      run: (db) => each([...Array(12).keys()], async (number) => {
        await db('BEGIN');
        await db('INSERT INTO notes (article_id, body) VALUES (3, $1)', [`Note ${number}`]);
        await db('COMMIT');
      }),
    },
  },
  {
    name: 'notes inserted one by one in a transaction',
    modes: ['transaction'],
    lazy: {
      finds: [{ ...insert, parent: null }],
      run: (db) => each([...Array(12).keys()],
        (number) => db('INSERT INTO notes (article_id, body) VALUES (3, $1)', [`Note ${number}`])),
    },
    eager: {
      'many rows': (db) => db(`INSERT INTO notes (article_id, body) VALUES ${
        [...Array(12).keys()].map((number) => `(3, 'Note ${number}')`)}`),
    },
  },
  {
    // The keys of the new rows are what the lookups ask for.
    name: 'new articles read again one by one',
    lazy: {
      finds: [{ repeated: 'FROM articles WHERE id = ', parent: 'INSERT INTO articles', repeats: 8 }],
      run: async (db) => each(
        await db("INSERT INTO articles (title) SELECT 'New ' || i FROM generate_series(1, 8) i RETURNING id"),
        (article) => db('SELECT title, views FROM articles WHERE id = $1', [article.id])),
    },
  },
  {
    name: 'way from a folder up to its root',
    lazy: {
      finds: [{ kind: 'recursive_walk', repeated: 'FROM folders WHERE id = ', parent: null, repeats: 12 }],
      async run(db) {
        for (let id = 12; id !== null;) {
          [{ parent_id: id }] = await db('SELECT parent_id FROM folders WHERE id = $1', [id]);
        }
      },
    },
  },
  {
    name: 'posts with a function that reads comments',
    lazy: {
      finds: [{
        kind: 'function_per_row',
        repeated: 'FROM comments c WHERE c.post_id = post',
        parent: 'comment_total\\(',
        repeats: 20,
        inside: true,
      }],
      run: (db) => db('SELECT id, comment_total(id) FROM posts ORDER BY id LIMIT 20'),
    },
  },
  {
    name: 'function that reads the comments of post after post',
    lazy: {
      finds: [{ kind: 'spi_loop', repeated: 'FROM comments c WHERE c.post_id = post.id', repeats: 30, inside: true }],
      run: (db) => db('SELECT longest_comment()'),
    },
  },
  {
    name: 'marks inserted at once, counted by a row trigger',
    lazy: {
      finds: [{
        kind: 'function_per_row',
        repeated: 'UPDATE articles SET views',
        parent: 'INSERT INTO marks',
        repeats: 12,
        inside: true,
      }],
      run: (db) => db('INSERT INTO marks (article_id) SELECT i FROM generate_series(1, 12) i'),
    },
  },
];

// --- what is known to go wrong, under names of their own -----------------------

// The way to the server and back.
const far = () => new Promise((resolve) => { setTimeout(resolve, 15); });

// A screen about that way: with the default, from which follows what is a pause.
const fromFar = (run) => async (db) => {
  await db("SET pg_vitals.n_plus_one_max_gap = '250ms'");
  await run(db);
  await db('RESET pg_vitals.n_plus_one_max_gap');
};

const wrong = [
  {
    name: 'setting loaded again and again from far away',
    kinds: ['slow_way'],
    lazy: {
      finds: [{ kind: 'duplicate', repeated: 'FROM settings WHERE key = ', parent: null, repeats: 8 }],
      run: fromFar((db) => each([...Array(8)], async () => {
        await db('SELECT value FROM settings WHERE key = $1', ['ui.theme']);
        await far();
      })),
    },
  },
  {
    name: 'menu with settings, no foreign key, from far away',
    kinds: ['slow_way'],
    lazy: {
      finds: [{ repeated: 'FROM settings WHERE key = ', parent: 'FROM menu_entries', repeats: 8 }],
      run: fromFar(async (db) => each(await db('SELECT setting_key FROM menu_entries ORDER BY id'), async (entry) => {
        await db('SELECT value FROM settings WHERE key = $1', [entry.setting_key]);
        await far();
      })),
    },
  },
  {
    name: 'posts with comments in an order of the program, from far away',
    kinds: ['slow_way'],
    lazy: {
      finds: [{
        repeated: 'FROM comments WHERE post_id = ', parent: 'FROM posts ORDER BY', repeats: 20, link: 'comments\\.post_id → posts\\.id',
      }],
      run: fromFar(async (db) => {
        const posts = await db(LIST);
        await each(posts.map((_, i) => posts[i ^ 1]), async (post) => {
          await db('SELECT body FROM comments WHERE post_id = $1', [post.id]);
          await far();
        });
      }),
    },
  },
  {
    // The list of posts has authors, too, but what is walked is the list of files.
    name: 'owners of files, without a foreign key, after a list of posts',
    kinds: ['nearest_origin'],
    lazy: {
      finds: [{ repeated: 'FROM authors WHERE id = ', parent: 'FROM attachments', repeats: 7 }],
      async run(db) {
        await db(LIST);
        await each(await db("SELECT owner_id FROM attachments WHERE owner_type = 'author' ORDER BY id"),
          (file) => db('SELECT name FROM authors WHERE id = $1', [file.owner_id]));
      },
    },
  },
  {
    name: 'sixty posts in batches of four with comments',
    kinds: ['batch_iteration'],
    lazy: {
      finds: [{ repeated: 'FROM comments WHERE post_id = ', parent: 'FROM posts WHERE id > ', repeats: 60 }],
      run: (db) => each([...Array(15).keys()], async (batch) => each(
        await db('SELECT id FROM posts WHERE id > $1 ORDER BY id LIMIT 4', [batch * 4]),
        (post) => db('SELECT body FROM comments WHERE post_id = $1', [post.id]))),
    },
  },
  {
    name: 'posts of three authors',
    kinds: ['few_values'],
    lazy: {
      finds: [{ repeated: 'FROM authors WHERE id = ', parent: 'FROM posts WHERE', repeats: 24 }],
      run: async (db) => each(await db('SELECT author_id FROM posts WHERE author_id IN (2, 5, 7) ORDER BY id LIMIT 24'),
        (post) => db('SELECT name FROM authors WHERE id = $1', [post.author_id])),
    },
  },
  {
    name: 'function called with the key of each post',
    kinds: ['function_argument'],
    lazy: {
      finds: [{ repeated: 'SELECT comment_total', parent: 'FROM posts ORDER BY', repeats: 20 }],
      run: async (db) => each(await db(LIST), (post) => db('SELECT comment_total($1)', [post.id])),
    },
  },
];

main('pg', [...protocols, ...quiet, ...kinds, ...wrong], openSession);
