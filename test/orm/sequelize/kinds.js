'use strict';

// More screens on Sequelize: writes in loops, walks, functions, and what resembles
// them.  save(), create() and destroy() are one statement without BEGIN, literals
// or parameters as Sequelize likes; findOrCreate() is a transaction.

const { QueryTypes } = require('sequelize');

const byId = [['id', 'ASC']];
const numbers = [...Array(12).keys()].map((i) => i + 1);
const note = (i) => ({ article_id: 3, body: `Note ${i}` });

const ARTICLES = 'FROM "articles" AS "Article" ORDER BY';
const write = (repeated, parent) => ({
  kind: 'n_plus_one_write', repeated, repeats: 12, ...(parent && { parent }),
});
const listArticles = ({ Article }, o) => Article.findAll({ order: byId, ...o });

// eachArticle(find, step): reads all articles, and does step with one after the other.
const eachArticle = (find, step) => ({
  finds: [find],
  async run(db, o) {
    for (const article of await listArticles(db, o)) {
      await step(article, db, o);
    }
  },
});

const writes = [
  {
    name: 'articles saved one by one',
    // lazy: 12 × UPDATE "articles" SET "views"=$1 WHERE "id" = $2
    // increment: UPDATE "articles" SET "views"="views"+ 1 WHERE … RETURNING …
    // bulkCreate: INSERT INTO "articles" … VALUES (1, …), … ON CONFLICT ("id") DO UPDATE SET …
    lazy: eachArticle(write('UPDATE "articles" SET "views"', ARTICLES), (article, db, o) => {
      article.views += 1;
      return article.save(o);
    }),
    eager: {
      increment: ({ Article }, o) => Article.increment('views', { by: 1, where: { notes_count: 0 }, ...o }),
      async bulkCreate(db, o) {
        const articles = (await listArticles(db, o)).map((article) => ({ ...article.get(), views: 7 }));
        await db.Article.bulkCreate(articles, { updateOnDuplicate: ['views'], ...o });
      },
    },
  },
  {
    name: 'articles incremented one by one',
    // lazy: 12 × UPDATE "articles" SET "views"="views"+ 1 WHERE "id" = 1 RETURNING …
    lazy: eachArticle(write('UPDATE "articles" SET "views"', ARTICLES), (article, db, o) => article.increment('views', o)),
  },
  {
    name: 'articles deleted one by one',
    // lazy: 12 × DELETE FROM "articles" WHERE "id" = 1
    lazy: eachArticle(write('DELETE FROM "articles"', ARTICLES), (article, db, o) => article.destroy(o)),
    eager: {
      destroy: ({ Article }, o) => Article.destroy({ where: { id: numbers }, ...o }),
    },
  },
  {
    name: 'note created for each article',
    // lazy: 12 × INSERT INTO "notes" ("id","article_id","body") VALUES (DEFAULT,$1,$2) RETURNING …
    // bulkCreate: INSERT INTO "notes" … VALUES (DEFAULT,1,…),(DEFAULT,2,…),… RETURNING …
    lazy: eachArticle(write('INSERT INTO "notes"'), (article, db, o) => article.createNote({ body: 'About it' }, o)),
    eager: {
      bulkCreate: async (db, o) => db.Note.bulkCreate(
        (await listArticles(db, o)).map(({ id }) => ({ article_id: id, body: 'About it' })), o),
    },
  },
  {
    name: 'notes created one by one',
    lazy: {
      modes: ['transaction'],
      finds: [write('INSERT INTO "notes"')],
      async run({ Note }, o) {
        for (const i of numbers) {
          await Note.create(note(i), o);
        }
      },
    },
    eager: {
      bulkCreate: ({ Note }, o) => Note.bulkCreate(numbers.map(note), o),
      async 'bulkCreate in batches'({ Note }, o) {
        for (let start = 0; start < 12; start += 2) {
          await Note.bulkCreate(numbers.slice(start, start + 2).map(note), o);
        }
      },
    },
  },
  {
    name: 'notes created in a transaction each',
    // lazy: 12 × START TRANSACTION; INSERT INTO "notes" …; COMMIT
    lazy: {
      modes: ['autocommit', 'pooled'],
      finds: [write('INSERT INTO "notes"')],
      async run({ Note, sequelize }) {
        for (const i of numbers) {
          await sequelize.transaction((transaction) => Note.create(note(i), { transaction }));
        }
      },
    },
  },
  {
    name: 'subscribers by upsert',
    // lazy: 12 × INSERT INTO "subscribers" … ON CONFLICT ("email") DO UPDATE SET … RETURNING …
    lazy: {
      modes: ['transaction'],
      finds: [write('INSERT INTO "subscribers"')],
      async run({ Subscriber }, o) {
        for (const i of numbers) {
          await Subscriber.upsert({ email: `known${i}@example.org`, visits: i }, { conflictFields: ['email'], ...o });
        }
      },
    },
  },
  {
    name: 'tags by findOrCreate, all known',
    // plain: 12 × START TRANSACTION; SELECT … FROM "tags" … LIMIT 1; COMMIT
    modes: ['autocommit', 'pooled'],
    async plain({ Tag }) {
      for (const i of numbers) {
        await Tag.findOrCreate({ where: { name: `tag-${i}` } });
      }
    },
  },
  {
    name: 'one article with its notes written',
    async plain({ Article, Subscriber }, o) {
      const article = await Article.create({ title: 'New' }, o);
      await article.createNote({ body: 'One' }, o);
      await article.createNote({ body: 'Two' }, o);
      await article.update({ notes_count: 2 }, o);
      await Subscriber.increment('visits', { where: { email: 'known4@example.org' }, ...o });
      await article.reload(o);
    },
  },
];

const others = [
  {
    name: 'way from a folder up to its root',
    // lazy: 12 × SELECT "id", "parent_id", "name" FROM "folders" AS "Folder" WHERE "Folder"."id" = 12
    lazy: {
      finds: [{ kind: 'recursive_walk', repeated: 'FROM "folders" AS "Folder" WHERE "Folder"."id" = ', parent: null, repeats: 12 }],
      async run({ Folder }, o) {
        let folder = await Folder.findByPk(12, o);
        while (folder) {
          folder = folder.parent_id && await folder.getParent(o);
        }
      },
    },
    eager: {
      'recursive CTE': ({ sequelize }, o) => sequelize.query(`WITH RECURSIVE up AS (
        SELECT * FROM folders WHERE id = 12
        UNION ALL SELECT f.* FROM up JOIN folders f ON f.id = up.parent_id)
        SELECT * FROM up`, { type: QueryTypes.SELECT, ...o }),
      'nested include': ({ Folder }, o) => Folder.findByPk(12, {
        include: { association: 'parent', include: { association: 'parent', include: 'parent' } }, ...o,
      }),
    },
  },
  {
    name: 'way from a folder down to the last',
    // lazy: 12 × SELECT … FROM "folders" AS "Folder" WHERE "Folder"."parent_id" = 1 LIMIT 1
    lazy: {
      finds: [{
        kind: 'recursive_walk', repeated: 'FROM "folders" AS "Folder" WHERE "Folder"."parent_id" = ', parent: null, repeats: 12,
      }],
      async run({ Folder }, o) {
        let folder = await Folder.findOne({ where: { name: 'Folder 1' }, ...o });
        while (folder) {
          folder = await Folder.findOne({ where: { parent_id: folder.id }, ...o });
        }
      },
    },
  },
  {
    name: 'posts with comments, the locale loaded for each',
    // lazy: 8 × SELECT "key", "value" FROM "settings" AS "Setting" WHERE "Setting"."key" = 'ui.locale'
    //     8 × SELECT … FROM "comments" AS "Comment" WHERE "Comment"."post_id" = 1
    lazy: {
      finds: [
        { kind: 'duplicate', repeated: 'FROM "settings" AS "Setting"', parent: null, repeats: 8 },
        {
          repeated: 'FROM "comments" AS "Comment" WHERE "Comment"."post_id" = ',
          parent: 'FROM "posts" AS "Post"',
          repeats: 8,
          link: 'comments\\.post_id → posts\\.id',
        },
      ],
      async run({ Post, Setting }, o) {
        for (const post of await Post.findAll({ order: byId, limit: 8, ...o })) {
          await Setting.findByPk('ui.locale', o);
          await post.getComments(o);
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
      run: ({ Post, sequelize }, o) => Post.findAll({
        attributes: ['id', [sequelize.fn('comment_total', sequelize.col('id')), 'total']], order: byId, limit: 20, ...o,
      }),
    },
  },
  {
    name: 'marks created at once, counted by a row trigger',
    lazy: {
      finds: [{
        kind: 'function_per_row',
        repeated: 'UPDATE articles SET views',
        parent: 'INSERT INTO "marks"',
        repeats: 12,
        inside: true,
      }],
      run: ({ Mark }, o) => Mark.bulkCreate(numbers.map((i) => ({ article_id: i })), o),
    },
  },
];

module.exports = [...writes, ...others];
