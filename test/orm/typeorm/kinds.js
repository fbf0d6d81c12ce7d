'use strict';

// More screens on TypeORM: writes in loops, walks, functions, and what resembles
// them.  save() reads the row by its key, and writes in a transaction of its own
// where it is not in one; update(), insert() and delete() are one statement.

const { In } = require(process.env.TYPEORM || 'typeorm');

const byId = { id: 'ASC' };
const numbers = [...Array(12).keys()].map((i) => i + 1);
const note = (i) => ({ article_id: 3, body: `Note ${i}` });

const ARTICLES = 'FROM "articles" "Article" ORDER BY';
const write = (repeated, parent) => ({
  kind: 'n_plus_one_write', repeated, repeats: 12, ...(parent && { parent }),
});

// eachArticle(finds, step): reads all articles, and does step with one after the other.
const eachArticle = (finds, step) => ({
  finds,
  async run(db) {
    for (const article of await db.find('Article', { order: byId })) {
      await step(db, article);
    }
  },
});

const writes = [
  {
    name: 'articles saved one by one',
    // lazy: 12 × SELECT … FROM "articles" "Article" WHERE "Article"."id" IN ($1)
    //     12 × START TRANSACTION; UPDATE "articles" SET "views" = $1 WHERE "id" = $2; COMMIT
    // update: UPDATE "articles" SET "views" = $1
    // upsert: INSERT INTO "articles" … VALUES ($1, …), … ON CONFLICT ( "id" ) DO UPDATE SET …
    lazy: eachArticle([
      { repeated: '^SELECT .* FROM "articles" "Article" WHERE ', parent: ARTICLES, repeats: 12 },
      write('UPDATE "articles" SET "views"', ARTICLES),
    ], (db, article) => db.save('Article', Object.assign(article, { views: article.views + 1 }))),
    eager: {
      update: (db) => db.createQueryBuilder().update('Article').set({ views: 1 }).execute(),
      upsert: async (db) => db.upsert('Article',
        (await db.find('Article', { order: byId })).map((article) => ({ ...article, views: 1 })), ['id']),
    },
  },
  {
    name: 'articles saved in one call',
    // lazy: 1 × SELECT … FROM "articles" "Article" WHERE "Article"."id" IN ($1, …)
    //     12 × UPDATE "articles" SET "views" = $1 WHERE "id" = $2, in one transaction
    lazy: {
      finds: [write('UPDATE "articles" SET "views"', 'FROM "articles" "Article"')],
      async run(db) {
        const articles = await db.find('Article', { order: byId });
        await db.save('Article', articles.map((article) => Object.assign(article, { views: 1 })));
      },
    },
  },
  {
    name: 'articles updated one by one',
    // lazy: 12 × UPDATE "articles" SET "views" = $1 WHERE "id" = $2
    lazy: eachArticle([write('UPDATE "articles" SET "views"', ARTICLES)],
      (db, { id }) => db.update('Article', id, { views: 1 })),
  },
  {
    name: 'articles incremented one by one',
    // lazy: 12 × UPDATE "articles" SET "views" = "views" + 1 WHERE "id" = $1
    lazy: eachArticle([write('UPDATE "articles" SET "views"', ARTICLES)],
      (db, { id }) => db.increment('Article', { id }, 'views', 1)),
  },
  {
    name: 'articles deleted one by one',
    // lazy: 12 × DELETE FROM "articles" WHERE "id" IN ($1)
    lazy: eachArticle([write('DELETE FROM "articles"', ARTICLES)], (db, { id }) => db.delete('Article', id)),
    eager: {
      delete: (db) => db.delete('Article', { id: In(numbers) }),
    },
  },
  {
    name: 'notes saved one by one',
    // lazy: 12 × START TRANSACTION; INSERT INTO "notes"("article_id", "body") VALUES ($1, $2) RETURNING "id"; COMMIT
    // save: INSERT INTO "notes"("article_id", "body") VALUES ($1, $2), ($3, $4), … in one transaction
    lazy: {
      finds: [write('INSERT INTO "notes"')],
      async run(db) {
        for (const i of numbers) {
          await db.save('Note', note(i));
        }
      },
    },
    eager: {
      save: (db) => db.save('Note', numbers.map(note)),
      insert: (db) => db.insert('Note', numbers.map(note)),
      async 'insert in batches'(db) {
        for (let start = 0; start < 12; start += 2) {
          await db.insert('Note', numbers.slice(start, start + 2).map(note));
        }
      },
    },
  },
  {
    name: 'notes inserted one by one',
    modes: ['transaction'],
    // lazy: 12 × INSERT INTO "notes"("id", "article_id", "body") VALUES (DEFAULT, $1, $2) RETURNING "id"
    lazy: {
      finds: [write('INSERT INTO "notes"')],
      async run(db) {
        for (const i of numbers) {
          await db.insert('Note', note(i));
        }
      },
    },
  },
  {
    name: 'note inserted for each article',
    lazy: eachArticle([write('INSERT INTO "notes"')],
      (db, { id }) => db.insert('Note', { article_id: id, body: 'About it' })),
  },
  {
    name: 'subscribers by upsert',
    modes: ['transaction'],
    // lazy: 12 × INSERT INTO "subscribers" … ON CONFLICT ( "email" ) DO UPDATE SET …
    lazy: {
      finds: [write('INSERT INTO "subscribers"')],
      async run(db) {
        for (const i of numbers) {
          await db.upsert('Subscriber', { email: `known${i}@example.org`, visits: i }, ['email']);
        }
      },
    },
  },
  {
    name: 'one article with its notes written',
    async plain(db) {
      const article = await db.save('Article', { title: 'New' });
      await db.save('Note', { article_id: article.id, body: 'One' });
      await db.save('Note', { article_id: article.id, body: 'Two' });
      await db.update('Article', article.id, { notes_count: 2 });
      await db.increment('Subscriber', { email: 'known4@example.org' }, 'visits', 1);
      await db.findOneBy('Article', { id: article.id });
    },
  },
];

const others = [
  {
    // The loader joins the folder again: 12 × … FROM "folders" "parent" INNER JOIN "folders" "Folder" ON … IN ($1)
    name: 'way from a folder up to its root',
    lazy: {
      finds: [{ kind: 'recursive_walk', repeated: 'FROM "folders" "parent" INNER JOIN', parent: null, repeats: 12 }],
      async run(db) {
        let folder = await db.findOneBy('Folder', { id: 12 });
        while (folder) {
          folder = await folder.parent;
        }
      },
    },
    eager: {
      'nested relations': (db) => db.findOne('Folder', { where: { id: 12 }, relations: { parent: { parent: { parent: true } } } }),
    },
  },
  {
    name: 'way from a folder up to its root by findOneBy',
    // lazy: 12 × … FROM "folders" "Folder" WHERE (("Folder"."id" = $1)) LIMIT 1
    lazy: {
      finds: [{ kind: 'recursive_walk', repeated: 'FROM "folders" "Folder" WHERE ', parent: null, repeats: 12 }],
      async run(db) {
        let id = 12;
        while (id) {
          id = (await db.findOneBy('Folder', { id })).parent_id;
        }
      },
    },
  },
  {
    name: 'posts with comments, the locale loaded for each',
    lazy: {
      finds: [
        { kind: 'duplicate', repeated: 'FROM "settings" "Setting"', parent: null, repeats: 8 },
        {
          repeated: 'FROM "comments" "comments" WHERE ',
          parent: 'FROM "posts" "Post"',
          repeats: 8,
          link: 'comments\\.post_id → posts\\.id',
        },
      ],
      async run(db) {
        for (const post of await db.find('Post', { order: byId, take: 8 })) {
          await db.findOneBy('Setting', { key: 'ui.locale' });
          await post.comments;
        }
      },
    },
  },
  {
    name: 'marks saved at once, counted by a row trigger',
    lazy: {
      finds: [{
        kind: 'function_per_row',
        repeated: 'UPDATE articles SET views',
        parent: 'INSERT INTO "marks"',
        repeats: 12,
        inside: true,
      }],
      run: (db) => db.insert('Mark', numbers.map((i) => ({ article_id: i }))),
    },
  },
];

module.exports = [...writes, ...others];
