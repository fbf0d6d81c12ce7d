'use strict';

// The screens on Sequelize 6.  Reads go over the simple protocol with literals,
// except raw queries with bind parameters.  Beside each version: what it sends.

const { Op, QueryTypes } = require('sequelize');
const { openSession } = require('./models');
const { main } = require('../harness');

const byId = [['id', 'ASC']];
const listPosts = ({ Post }, o) => Post.findAll({ order: byId, limit: 20, ...o });
const ids = (rows) => rows.map((row) => row.id);

// What happens in the application between two statements of a slow loop.
const think = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

const POSTS = 'FROM "posts" AS "Post"';
const AUTHOR_BY_ID = 'FROM "authors" AS "Author" WHERE "Author"."id" = ';
const COMMENTS_BY_POST = 'FROM "comments" AS "Comment" WHERE "Comment"."post_id" = ';
const authorsOfPosts = {
  repeated: AUTHOR_BY_ID, parent: POSTS, repeats: 20, link: 'posts\\.author_id → authors\\.id',
};
const commentsOfPosts = {
  repeated: COMMENTS_BY_POST, parent: POSTS, repeats: 20, link: 'comments\\.post_id → posts\\.id',
};

const associations = [
  {
    name: 'post list with author',
    // lazy: 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "authors" AS "Author" WHERE "Author"."id" = 8
    // include: 1 × SELECT … FROM "posts" AS "Post" LEFT OUTER JOIN "authors" AS "author" ON … ORDER BY "Post"."id" …
    // keys in IN: 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     1 × SELECT … FROM "authors" AS "Author" WHERE "Author"."id" IN (8, …)
    lazy: {
      finds: [authorsOfPosts],
      async run(db, o) {
        for (const post of await listPosts(db, o)) {
          await post.getAuthor(o);
        }
      },
    },
    eager: {
      include: ({ Post }, o) => Post.findAll({ include: 'author', order: byId, limit: 20, ...o }),
      async 'keys in IN'(db, o) {
        const posts = await listPosts(db, o);
        await db.Author.findAll({ where: { id: [...new Set(posts.map((post) => post.author_id))] }, ...o });
      },
    },
  },
  {
    name: 'post list with author by primary key',
    // lazy: 1 × SELECT "title", "author_id" FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "authors" AS "Author" WHERE "Author"."id" = 8
    lazy: {
      finds: [authorsOfPosts],
      async run({ Post, Author }, o) {
        const posts = await Post.findAll({
          attributes: ['title', 'author_id'], order: byId, limit: 20, raw: true, ...o,
        });
        for (const post of posts) {
          await Author.findByPk(post.author_id, o);
        }
      },
    },
  },
  {
    name: 'post list with all authors at once by Promise.all',
    // lazy: 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "authors" AS "Author" WHERE "Author"."id" = 8
    lazy: {
      finds: [authorsOfPosts],
      async run(db, o) {
        const posts = await listPosts(db, o);
        await Promise.all(posts.map((post) => post.getAuthor(o)));
      },
    },
  },
  {
    name: 'post list with comments',
    // lazy: 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "comments" AS "Comment" WHERE "Comment"."post_id" = 1
    // include: 1 × SELECT … FROM (SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20) AS "Post" LEFT …
    // separate: true: 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     1 × SELECT … FROM "comments" AS "Comment" WHERE "Comment"."post_id" IN (1, …)
    lazy: {
      finds: [commentsOfPosts],
      async run(db, o) {
        for (const post of await listPosts(db, o)) {
          await post.getComments(o);
        }
      },
    },
    eager: {
      include: ({ Post }, o) => Post.findAll({ include: 'comments', order: byId, limit: 20, ...o }),
      'separate: true': ({ Post }, o) => Post.findAll({
        include: [{ association: 'comments', separate: true }], order: byId, limit: 20, ...o,
      }),
    },
  },
  {
    name: 'post list with comment counts',
    // lazy: 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "comments" AS "Comment" WHERE "Comment"."post_id" = 1
    // count by group: 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     1 × SELECT "post_id", count(*) AS "count" FROM "comments" AS "Comment" WHERE "Comment"."post_id" IN (1, …
    lazy: {
      finds: [{ ...commentsOfPosts, repeated: `SELECT COUNT.* ${COMMENTS_BY_POST}` }],
      async run(db, o) {
        for (const post of await listPosts(db, o)) {
          await post.countComments(o);
        }
      },
    },
    eager: {
      async 'count by group'(db, o) {
        const posts = await listPosts(db, o);
        await db.Comment.count({ where: { post_id: ids(posts) }, group: ['post_id'], ...o });
      },
    },
  },
  {
    name: 'post list with tags',
    // lazy: 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "tags" AS "Tag" INNER JOIN "post_tags" AS "PostTag" ON … AND "PostTag"."post_id" = 1
    // include: 1 × SELECT … FROM (SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20) AS "Post" LEFT …
    lazy: {
      finds: [{
        repeated: 'FROM "tags" AS "Tag" INNER JOIN "post_tags" AS "PostTag" ON .* AND "PostTag"."post_id" = ',
        parent: POSTS,
        repeats: 20,
        link: 'post_tags\\.post_id → posts\\.id',
      }],
      async run(db, o) {
        for (const post of await listPosts(db, o)) {
          await post.getTags(o);
        }
      },
    },
    eager: {
      include: ({ Post }, o) => Post.findAll({ include: 'tags', order: byId, limit: 20, ...o }),
    },
  },
  {
    name: 'post list marked with one tag',
    // lazy: 1 × SELECT "id", "name" FROM "tags" AS "Tag" WHERE "Tag"."name" = 'tag-4' LIMIT 1
    //     1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT "Tag"."id" FROM "tags" AS "Tag" INNER JOIN "post_tags" AS "PostTag" ON … AND …
    // keys in IN: 1 × SELECT "id", "name" FROM "tags" AS "Tag" WHERE "Tag"."name" = 'tag-4' LIMIT 1
    //     1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     1 × SELECT "post_id", "tag_id" FROM "post_tags" AS "PostTag" WHERE "PostTag"."tag_id" = 4 AND …
    lazy: {
      finds: [{
        repeated: 'FROM "tags" AS "Tag" INNER JOIN "post_tags" AS "PostTag" ON .*"PostTag"."post_id" = .* WHERE',
        parent: POSTS,
        repeats: 20,
        link: 'post_tags\\.post_id → posts\\.id',
      }],
      async run(db, o) {
        const tag = await db.Tag.findOne({ where: { name: 'tag-4' }, ...o });
        for (const post of await listPosts(db, o)) {
          await post.hasTag(tag, o);
        }
      },
    },
    eager: {
      async 'keys in IN'(db, o) {
        const tag = await db.Tag.findOne({ where: { name: 'tag-4' }, ...o });
        const posts = await listPosts(db, o);
        await db.PostTag.findAll({ where: { tag_id: tag.id, post_id: ids(posts) }, ...o });
      },
    },
  },
  {
    name: 'authors with latest post',
    // lazy: 1 × SELECT … FROM "authors" AS "Author" ORDER BY "Author"."id" ASC
    //     13 × SELECT … FROM "posts" AS "Post" WHERE "Post"."author_id" = 1 ORDER BY "Post"."id" DESC LIMIT 1
    // max by group: 1 × SELECT … FROM "posts" AS "Post" GROUP BY "author_id"
    lazy: {
      finds: [{
        repeated: 'FROM "posts" AS "Post" WHERE "Post"."author_id" = ',
        parent: 'FROM "authors" AS "Author"',
        repeats: 13,
        link: 'posts\\.author_id → authors\\.id',
      }],
      async run({ Author, Post }, o) {
        for (const author of await Author.findAll({ order: byId, ...o })) {
          await Post.findOne({ where: { author_id: author.id }, order: [['id', 'DESC']], ...o });
        }
      },
    },
    eager: {
      'max by group': ({ Post, sequelize }, o) => Post.findAll({
        attributes: ['author_id', [sequelize.fn('max', sequelize.col('id')), 'latest']], group: ['author_id'], ...o,
      }),
    },
  },
  {
    name: 'authors with profile, mostly missing',
    // lazy: 1 × SELECT … FROM "authors" AS "Author" ORDER BY "Author"."id" ASC
    //     13 × SELECT "id", "author_id", "bio" FROM "profiles" AS "Profile" WHERE "Profile"."author_id" = 1 LIMIT 1
    // include: 1 × SELECT … FROM "authors" AS "Author" LEFT OUTER JOIN "profiles" AS "profile" ON … ORDER BY …
    lazy: {
      finds: [{
        repeated: 'FROM "profiles" AS "Profile" WHERE "Profile"."author_id" = ',
        parent: 'FROM "authors" AS "Author"',
        repeats: 13,
        link: 'profiles\\.author_id → authors\\.id',
      }],
      async run({ Author }, o) {
        for (const author of await Author.findAll({ order: byId, ...o })) {
          await author.getProfile(o);
        }
      },
    },
    eager: {
      include: ({ Author }, o) => Author.findAll({ include: 'profile', order: byId, ...o }),
    },
  },
  {
    name: 'authors with country by varchar key',
    // lazy: 1 × SELECT … FROM "authors" AS "Author" ORDER BY "Author"."id" ASC
    //     13 × SELECT "code", "name" FROM "countries" AS "Country" WHERE "Country"."code" = 'fr'
    // include: 1 × SELECT … FROM "authors" AS "Author" LEFT OUTER JOIN "countries" AS "country" ON … ORDER BY …
    lazy: {
      finds: [{
        repeated: 'FROM "countries" AS "Country" WHERE "Country"."code" = ',
        parent: 'FROM "authors" AS "Author"',
        repeats: 13,
        link: 'authors\\.country_code → countries\\.code',
      }],
      async run({ Author }, o) {
        for (const author of await Author.findAll({ order: byId, ...o })) {
          await author.getCountry(o);
        }
      },
    },
    eager: {
      include: ({ Author }, o) => Author.findAll({ include: 'country', order: byId, ...o }),
    },
  },
  {
    name: 'root categories with children of the same table',
    // lazy: 1 × SELECT "id", "parent_id", "name" FROM "categories" AS "Category" WHERE "Category"."parent_id" IS …
    //     6 × SELECT "id", "parent_id", "name" FROM "categories" AS "Category" WHERE "Category"."parent_id" = 1
    // include: 1 × SELECT … FROM "categories" AS "Category" LEFT OUTER JOIN "categories" AS "children" ON … WHERE …
    lazy: {
      finds: [{
        repeated: 'FROM "categories" AS "Category" WHERE "Category"."parent_id" = ',
        parent: 'FROM "categories" AS "Category" WHERE "Category"."parent_id" IS NULL',
        repeats: 6,
        link: 'categories\\.parent_id → categories\\.id',
      }],
      async run({ Category }, o) {
        for (const root of await Category.findAll({ where: { parent_id: null }, order: byId, ...o })) {
          await root.getChildren(o);
        }
      },
    },
    eager: {
      include: ({ Category }, o) => Category.findAll({
        where: { parent_id: null }, include: 'children', order: byId, ...o,
      }),
    },
  },
];

const deep = [
  {
    name: 'orders with items and products',
    // lazy: 1 × SELECT "id", "user_id", "placed_on" FROM "orders" AS "Order" ORDER BY "Order"."placed_on" ASC, …
    //     6 × SELECT … FROM "order_items" AS "OrderItem" WHERE "OrderItem"."order_id" = '3652…'
    //     18 × SELECT "id", "sku", "name", "price" FROM "products" AS "Product" WHERE "Product"."id" = '01dc…'
    // include: 1 × SELECT … FROM (SELECT … FROM "orders" AS "Order" ORDER BY "Order"."placed_on" ASC, "Order"."id" …
    // separate: true: 1 × SELECT … FROM "orders" AS "Order" ORDER BY "Order"."placed_on" ASC, "Order"."id" ASC …
    //     1 × SELECT … FROM "order_items" AS "OrderItem" LEFT OUTER JOIN "products" AS "product" ON … WHERE …
    lazy: {
      finds: [
        {
          repeated: 'FROM "order_items" AS "OrderItem" WHERE "OrderItem"."order_id" = ',
          parent: 'FROM "orders" AS "Order"',
          repeats: 6,
          link: 'order_items\\.order_id → orders\\.id',
        },
        {
          repeated: 'FROM "products" AS "Product" WHERE "Product"."id" = ',
          parent: 'FROM "order_items" AS "OrderItem"',
          repeats: 18,
          link: 'order_items\\.product_id → products\\.id',
        },
      ],
      async run({ Order }, o) {
        for (const order of await Order.findAll({ order: [['placed_on', 'ASC'], ['id', 'ASC']], limit: 6, ...o })) {
          for (const item of await order.getItems(o)) {
            await item.getProduct(o);
          }
        }
      },
    },
    eager: {
      include: ({ Order }, o) => Order.findAll({
        include: [{ association: 'items', include: ['product'] }],
        order: [['placed_on', 'ASC'], ['id', 'ASC']],
        limit: 6,
        ...o,
      }),
      'separate: true': ({ Order }, o) => Order.findAll({
        include: [{ association: 'items', separate: true, include: ['product'] }],
        order: [['placed_on', 'ASC'], ['id', 'ASC']],
        limit: 6,
        ...o,
      }),
    },
  },
  {
    name: 'post list with author, category and comments in turn',
    // lazy: 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "authors" AS "Author" WHERE "Author"."id" = 8
    //     20 × SELECT "id", "parent_id", "name" FROM "categories" AS "Category" WHERE "Category"."id" = 6
    //     20 × SELECT … FROM "comments" AS "Comment" WHERE "Comment"."post_id" = 1
    // include: 1 × SELECT … FROM "posts" AS "Post" LEFT OUTER JOIN "authors" AS "author" ON … LEFT OUTER JOIN …
    //     1 × SELECT … FROM "comments" AS "Comment" WHERE "Comment"."post_id" IN (1, …)
    lazy: {
      finds: [
        authorsOfPosts,
        {
          repeated: 'FROM "categories" AS "Category" WHERE "Category"."id" = ',
          parent: POSTS,
          repeats: 20,
          link: 'posts\\.category_id → categories\\.id',
        },
        commentsOfPosts,
      ],
      async run(db, o) {
        for (const post of await listPosts(db, o)) {
          await post.getAuthor(o);
          await post.getCategory(o);
          await post.getComments(o);
        }
      },
    },
    eager: {
      include: ({ Post }, o) => Post.findAll({
        include: ['author', 'category', { association: 'comments', separate: true }], order: byId, limit: 20, ...o,
      }),
    },
  },
  {
    name: 'comments with post and its category',
    // lazy: 1 × SELECT … FROM "comments" AS "Comment" WHERE "Comment"."id" IN (10, …) ORDER BY "Comment"."id" ASC
    //     12 × SELECT … FROM "posts" AS "Post" WHERE "Post"."id" = 7
    //     12 × SELECT "id", "parent_id", "name" FROM "categories" AS "Category" WHERE "Category"."id" = 17
    // include: 1 × SELECT … FROM "comments" AS "Comment" LEFT OUTER JOIN "posts" AS "post" ON … LEFT OUTER JOIN …
    lazy: {
      finds: [
        {
          repeated: 'FROM "posts" AS "Post" WHERE "Post"."id" = ',
          parent: 'FROM "comments" AS "Comment"',
          repeats: 12,
          link: 'comments\\.post_id → posts\\.id',
        },
        {
          repeated: 'FROM "categories" AS "Category" WHERE "Category"."id" = ',
          parent: '(FROM "posts" AS "Post" WHERE|FROM "comments" AS "Comment")',
          repeats: 12,
          link: 'posts\\.category_id → categories\\.id',
        },
      ],
      async run({ Comment }, o) {
        // Every tenth comment: no two on the same post.
        const comments = await Comment.findAll({
          where: { id: Array.from({ length: 12 }, (_, i) => (i + 1) * 10) }, order: byId, ...o,
        });
        for (const comment of comments) {
          const post = await comment.getPost(o);
          await post.getCategory(o);
        }
      },
    },
    eager: {
      include: ({ Comment }, o) => Comment.findAll({
        where: { id: Array.from({ length: 12 }, (_, i) => (i + 1) * 10) },
        include: [{ association: 'post', include: ['category'] }],
        ...o,
      }),
    },
  },
  {
    name: 'post list, all authors, then all their countries',
    // lazy: 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 12
    //     12 × SELECT … FROM "authors" AS "Author" WHERE "Author"."id" = 8
    //     12 × SELECT "code", "name" FROM "countries" AS "Country" WHERE "Country"."code" = 'be'
    // include: 1 × SELECT … FROM "posts" AS "Post" LEFT OUTER JOIN "authors" AS "author" ON … LEFT OUTER JOIN …
    lazy: {
      finds: [
        { ...authorsOfPosts, repeats: 12 },
        {
          repeated: 'FROM "countries" AS "Country" WHERE "Country"."code" = ',
          parent: '(FROM "authors" AS "Author" WHERE|FROM "posts" AS "Post")',
          repeats: 12,
          link: 'authors\\.country_code → countries\\.code',
        },
      ],
      async run({ Post }, o) {
        const authors = [];
        for (const post of await Post.findAll({ order: byId, limit: 12, ...o })) {
          authors.push(await post.getAuthor(o));
        }
        for (const author of authors) {
          await author.getCountry(o);
        }
      },
    },
    eager: {
      include: ({ Post }, o) => Post.findAll({
        include: [{ association: 'author', include: ['country'] }], order: byId, limit: 12, ...o,
      }),
    },
  },
  {
    name: 'post page with the author of each comment',
    // lazy: 1 × SELECT … FROM "posts" AS "Post" WHERE "Post"."id" = 7
    //     1 × SELECT … FROM "comments" AS "Comment" WHERE "Comment"."post_id" = 7
    //     9 × SELECT … FROM "authors" AS "Author" WHERE "Author"."id" = 13
    // include: 1 × SELECT … FROM "posts" AS "Post" LEFT OUTER JOIN "comments" AS "comments" ON … LEFT OUTER JOIN …
    // two steps: 1 × SELECT … FROM "posts" AS "Post" WHERE "Post"."id" = 7
    //     1 × SELECT … FROM "comments" AS "Comment" LEFT OUTER JOIN "authors" AS "author" ON … WHERE …
    lazy: {
      finds: [{
        repeated: AUTHOR_BY_ID,
        parent: 'FROM "comments" AS "Comment"',
        repeats: 9,
        link: 'comments\\.author_id → authors\\.id',
      }],
      async run({ Post }, o) {
        const post = await Post.findByPk(7, o);
        for (const comment of await post.getComments(o)) {
          await comment.getAuthor(o);
        }
      },
    },
    eager: {
      include: ({ Post }, o) => Post.findByPk(7, {
        include: [{ association: 'comments', include: ['author'] }], ...o,
      }),
      async 'two steps'({ Post }, o) {
        const post = await Post.findByPk(7, o);
        await post.getComments({ include: 'author', ...o });
      },
    },
  },
  {
    name: 'attachments with their owner, of two types',
    // lazy: 1 × SELECT … FROM "attachments" AS "Attachment" ORDER BY "Attachment"."id" ASC
    //     7 × SELECT … FROM "authors" AS "Author" WHERE "Author"."id" = 1
    //     7 × SELECT … FROM "posts" AS "Post" WHERE "Post"."id" = 8
    // keys in IN by type: 1 × SELECT … FROM "attachments" AS "Attachment" ORDER BY "Attachment"."id" ASC
    //     1 × SELECT … FROM "posts" AS "Post" WHERE "Post"."id" IN (8, …)
    //     1 × SELECT … FROM "authors" AS "Author" WHERE "Author"."id" IN (1, …)
    lazy: {
      finds: [
        {
          repeated: 'FROM "posts" AS "Post" WHERE "Post"."id" = ',
          parent: 'FROM "attachments" AS "Attachment"',
          repeats: 7,
        },
        { repeated: AUTHOR_BY_ID, parent: 'FROM "attachments" AS "Attachment"', repeats: 7 },
      ],
      async run({ Attachment, Post, Author }, o) {
        const models = { post: Post, author: Author };
        for (const file of await Attachment.findAll({ order: byId, ...o })) {
          await models[file.owner_type].findByPk(file.owner_id, o);
        }
      },
    },
    eager: {
      async 'keys in IN by type'({ Attachment, Post, Author }, o) {
        const models = { post: Post, author: Author };
        const files = await Attachment.findAll({ order: byId, ...o });
        for (const [type, model] of Object.entries(models)) {
          await model.findAll({
            where: { id: files.filter((file) => file.owner_type === type).map((file) => file.owner_id) }, ...o,
          });
        }
      },
    },
  },
  {
    name: 'post list with polymorphic attachments',
    // lazy: 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "attachments" AS "Attachment" WHERE "Attachment"."owner_type" = 'post' AND …
    // include: 1 × SELECT … FROM (SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20) AS "Post" LEFT …
    lazy: {
      finds: [{
        repeated: 'FROM "attachments" AS "Attachment" WHERE .*"Attachment"."owner_id" = ', parent: POSTS, repeats: 20,
      }],
      async run(db, o) {
        for (const post of await listPosts(db, o)) {
          await post.getAttachments(o);
        }
      },
    },
    eager: {
      include: ({ Post }, o) => Post.findAll({ include: 'attachments', order: byId, limit: 20, ...o }),
    },
  },
];

const keys = [
  {
    name: 'users by uuid',
    // lazy: 1 × SELECT "id", "user_id", "placed_on" FROM "orders" AS "Order" WHERE "Order"."placed_on" IN …
    //     10 × SELECT … FROM "users" AS "User" WHERE "User"."id" = '7e58…'
    // keys in IN: 1 × SELECT "id", "user_id", "placed_on" FROM "orders" AS "Order" WHERE "Order"."placed_on" IN …
    //     1 × SELECT … FROM "users" AS "User" WHERE "User"."id" IN ('7e58…', …)
    lazy: {
      finds: [{
        repeated: 'FROM "users" AS "User" WHERE "User"."id" = ',
        parent: 'FROM "orders" AS "Order"',
        repeats: 10,
        link: 'orders\\.user_id → users\\.id',
      }],
      async run({ Order, User }, o) {
        const orders = await Order.findAll({ where: { placed_on: ['2024-03-01', '2024-03-02', '2024-03-03'] }, limit: 10, ...o });
        for (const order of orders) {
          await User.findByPk(order.user_id, o);
        }
      },
    },
    eager: {
      async 'keys in IN'({ Order, User }, o) {
        const orders = await Order.findAll({ where: { placed_on: ['2024-03-01', '2024-03-02', '2024-03-03'] }, limit: 10, ...o });
        await User.findAll({ where: { id: { [Op.in]: orders.map((order) => order.user_id) } }, ...o });
      },
    },
  },
  {
    name: 'menu with settings by text key',
    // lazy: 1 × SELECT "id", "label", "setting_key" FROM "menu_entries" AS "MenuEntry" ORDER BY "MenuEntry"."id" ASC
    //     8 × SELECT "key", "value" FROM "settings" AS "Setting" WHERE "Setting"."key" = 'ui.search'
    // keys in IN: 1 × SELECT "id", "label", "setting_key" FROM "menu_entries" AS "MenuEntry" ORDER BY …
    //     1 × SELECT "key", "value" FROM "settings" AS "Setting" WHERE "Setting"."key" IN ('ui.search', 'ui.theme', …
    lazy: {
      finds: [{
        repeated: 'FROM "settings" AS "Setting" WHERE "Setting"."key" = ',
        parent: 'FROM "menu_entries" AS "MenuEntry"',
        repeats: 8,
      }],
      async run({ MenuEntry, Setting }, o) {
        for (const entry of await MenuEntry.findAll({ order: byId, ...o })) {
          await Setting.findOne({ where: { key: entry.setting_key }, ...o });
        }
      },
    },
    eager: {
      async 'keys in IN'({ MenuEntry, Setting }, o) {
        const entries = await MenuEntry.findAll({ order: byId, ...o });
        await Setting.findAll({ where: { key: entries.map((entry) => entry.setting_key) }, ...o });
      },
    },
  },
  {
    name: 'invoices with payments by numeric key',
    // lazy: 1 × SELECT "number", "order_id" FROM "invoices" AS "Invoice" ORDER BY "Invoice"."number" ASC LIMIT 15
    //     15 × SELECT … FROM "payments" AS "Payment" WHERE "Payment"."invoice_number" = '202400000017'
    // include: 1 × SELECT … FROM (SELECT … FROM "invoices" AS "Invoice" ORDER BY "Invoice"."number" ASC LIMIT 15) …
    lazy: {
      finds: [{
        repeated: 'FROM "payments" AS "Payment" WHERE "Payment"."invoice_number" = ',
        parent: 'FROM "invoices" AS "Invoice"',
        repeats: 15,
        link: 'payments\\.invoice_number → invoices\\.number',
      }],
      async run({ Invoice }, o) {
        for (const invoice of await Invoice.findAll({ order: [['number', 'ASC']], limit: 15, ...o })) {
          await invoice.getPayments(o);
        }
      },
    },
    eager: {
      include: ({ Invoice }, o) => Invoice.findAll({
        include: 'payments', order: [['number', 'ASC']], limit: 15, ...o,
      }),
    },
  },
  {
    name: 'orders of each day',
    // lazy: 1 × SELECT "placed_on" FROM "orders" AS "Order" GROUP BY "placed_on" ORDER BY "Order"."placed_on"
    //     15 × SELECT count(*) AS "count" FROM "orders" AS "Order" WHERE "Order"."placed_on" = '2024-03-01'
    // count by group: 1 × SELECT … FROM "orders" AS "Order" GROUP BY "placed_on"
    lazy: {
      finds: [{
        repeated: 'FROM "orders" AS "Order" WHERE "Order"."placed_on" = ',
        parent: 'FROM "orders" AS "Order" GROUP BY',
        repeats: 15,
      }],
      async run({ Order }, o) {
        const days = await Order.findAll({
          attributes: ['placed_on'], group: ['placed_on'], order: ['placed_on'], raw: true, ...o,
        });
        for (const day of days) {
          await Order.count({ where: { placed_on: day.placed_on }, ...o });
        }
      },
    },
    eager: {
      'count by group': ({ Order }, o) => Order.count({ group: ['placed_on'], ...o }),
    },
  },
  {
    name: 'post list with bodies loaded afterwards',
    // lazy: 1 × SELECT "id", "title" FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT "body" FROM "posts" AS "Post" WHERE "Post"."id" = 1
    // all columns: 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    lazy: {
      finds: [{
        repeated: 'SELECT "body" FROM "posts" AS "Post" WHERE "Post"."id" = ',
        parent: 'SELECT "id", "title" FROM "posts" AS "Post"',
        repeats: 20,
      }],
      async run({ Post }, o) {
        for (const post of await Post.findAll({ attributes: ['id', 'title'], order: byId, limit: 20, ...o })) {
          await Post.findByPk(post.id, { attributes: ['body'], ...o });
        }
      },
    },
    eager: {
      'all columns': listPosts,
    },
  },
];

const loops = [
  {
    name: 'raw query with bind parameters per row',
    // lazy: 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT count(*) FROM comments WHERE post_id = $1
    // = ANY($1): 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     1 × SELECT post_id, count(*) FROM comments WHERE post_id = ANY($1) GROUP BY 1
    lazy: {
      finds: [{
        repeated: 'SELECT count.* FROM comments WHERE post_id = ',
        parent: POSTS,
        repeats: 20,
        link: 'comments\\.post_id → posts\\.id',
      }],
      async run(db, o) {
        for (const post of await listPosts(db, o)) {
          await db.sequelize.query('SELECT count(*) FROM comments WHERE post_id = $1',
            { bind: [post.id], type: QueryTypes.SELECT, ...o });
        }
      },
    },
    eager: {
      async '= ANY($1)'(db, o) {
        const posts = await listPosts(db, o);
        await db.sequelize.query('SELECT post_id, count(*) FROM comments WHERE post_id = ANY($1) GROUP BY 1',
          { bind: [ids(posts)], type: QueryTypes.SELECT, ...o });
      },
    },
  },
  {
    name: 'raw query with replacements per row',
    // lazy: 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT count(*) FROM comments c JOIN authors a ON … WHERE c.post_id = 1 AND a.country_code <> 'zz'
    lazy: {
      finds: [{
        repeated: 'SELECT count.* FROM comments c JOIN authors a .* WHERE c.post_id = ',
        parent: POSTS,
        repeats: 20,
        link: 'comments\\.post_id → posts\\.id',
      }],
      async run(db, o) {
        for (const post of await listPosts(db, o)) {
          await db.sequelize.query(
            "SELECT count(*) FROM comments c JOIN authors a ON a.id = c.author_id WHERE c.post_id = :post AND a.country_code <> 'zz'",
            { replacements: { post: post.id }, type: QueryTypes.SELECT, ...o });
        }
      },
    },
  },
  {
    name: 'every other post opened, last first',
    // lazy: 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     10 × SELECT … FROM "comments" AS "Comment" WHERE "Comment"."post_id" = 19
    lazy: {
      finds: [{ ...commentsOfPosts, repeats: 10 }],
      async run(db, o) {
        const posts = (await listPosts(db, o)).filter((_, place) => place % 2 === 0).reverse();
        for (const post of posts) {
          await post.getComments(o);
        }
      },
    },
  },
  {
    name: 'slow loop with work between the statements',
    // lazy: 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 6
    //     6 × SELECT … FROM "authors" AS "Author" WHERE "Author"."id" = 8
    lazy: {
      finds: [{ ...authorsOfPosts, repeats: 6 }],
      async run({ Post }, o) {
        await Post.sequelize.query("SET pg_vitals.n_plus_one_max_gap = '250ms'", o);
        for (const post of await Post.findAll({ order: byId, limit: 6, ...o })) {
          await think(30);
          await post.getAuthor(o);
        }
        await Post.sequelize.query('RESET pg_vitals.n_plus_one_max_gap', o);
      },
    },
  },
  {
    name: 'orders locked one by one',
    // lazy: 1 × SELECT "id" FROM "orders" AS "Order" ORDER BY "Order"."id" ASC LIMIT 8
    //     8 × SELECT "id", "user_id", "placed_on" FROM "orders" AS "Order" WHERE "Order"."id" = '00ce…' FOR UPDATE
    // one lock: 1 × SELECT "id", "user_id", "placed_on" FROM "orders" AS "Order" ORDER BY "Order"."id" ASC LIMIT 8 …
    modes: ['transaction'],
    lazy: {
      finds: [{
        repeated: 'FROM "orders" AS "Order" WHERE "Order"."id" = .* FOR UPDATE',
        parent: 'SELECT "id" FROM "orders" AS "Order"',
        repeats: 8,
      }],
      async run({ Order }, o) {
        for (const order of await Order.findAll({ attributes: ['id'], order: byId, limit: 8, ...o })) {
          await Order.findByPk(order.id, { lock: true, ...o });
        }
      },
    },
    eager: {
      'one lock': ({ Order }, o) => Order.findAll({ order: byId, limit: 8, lock: true, ...o }),
    },
  },
  {
    name: 'five pages of posts with author',
    // lazy: 5 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 8 OFFSET 0
    //     40 × SELECT … FROM "authors" AS "Author" WHERE "Author"."id" = 8
    // include: 5 × SELECT … FROM "posts" AS "Post" LEFT OUTER JOIN "authors" AS "author" ON … ORDER BY "Post"."id" …
    lazy: {
      finds: [{ ...authorsOfPosts, repeats: 40 }],
      async run({ Post }, o) {
        for (let page = 0; page < 5; page += 1) {
          for (const post of await Post.findAll({ order: byId, limit: 8, offset: page * 8, ...o })) {
            await post.getAuthor(o);
          }
        }
      },
    },
    eager: {
      async include({ Post }, o) {
        for (let page = 0; page < 5; page += 1) {
          await Post.findAll({ include: 'author', order: byId, limit: 8, offset: page * 8, ...o });
        }
      },
    },
  },
  {
    name: 'current user loaded again for each part of the page',
    // lazy: 8 × SELECT … FROM "users" AS "User" WHERE "User"."email" = 'user3@example.org' LIMIT 1
    // once: 1 × SELECT … FROM "users" AS "User" WHERE "User"."email" = 'user3@example.org' LIMIT 1
    lazy: {
      finds: [{
        kind: 'duplicate', repeated: 'FROM "users" AS "User" WHERE "User"."email" = ', parent: null, repeats: 8,
      }],
      async run({ User }, o) {
        for (let part = 0; part < 8; part += 1) {
          await User.findOne({ where: { email: 'user3@example.org' }, ...o });
        }
      },
    },
    eager: {
      once: ({ User }, o) => User.findOne({ where: { email: 'user3@example.org' }, ...o }),
    },
  },
];

// A request as a pooled connection sees it: session, user, dashboard.
async function dashboard({ Session, User, Order }, token, o) {
  const session = await Session.findOne({ where: { token }, ...o });
  const user = await User.findByPk(session.user_id, o);
  await Order.findAll({ where: { user_id: user.id }, order: [['placed_on', 'DESC']], limit: 5, ...o });
  await Order.count({ where: { user_id: user.id }, ...o });
}

const sessionTokens = async ({ Session }, o) =>
  (await Session.findAll({ attributes: ['token'], order: ['token'], limit: 12, ...o })).map((row) => row.token);

const quiet = [
  {
    name: 'post page',
    // plain: 1 × SELECT … FROM "posts" AS "Post" WHERE "Post"."id" = 7
    //     1 × SELECT … FROM "authors" AS "Author" WHERE "Author"."id" = 11
    //     1 × SELECT "id", "parent_id", "name" FROM "categories" AS "Category" WHERE "Category"."id" = 17
    //     1 × SELECT … FROM "comments" AS "Comment" WHERE "Comment"."post_id" = 7
    //     1 × SELECT … FROM "tags" AS "Tag" INNER JOIN "post_tags" AS "PostTag" ON … AND "PostTag"."post_id" = 7
    //     1 × SELECT "id", "name" FROM "tags" AS "Tag" ORDER BY "Tag"."id" ASC LIMIT 10
    async plain({ Post, Tag }, o) {
      const post = await Post.findByPk(7, o);
      await post.getAuthor(o);
      await post.getCategory(o);
      await post.getComments(o);
      await post.getTags(o);
      await Tag.findAll({ order: byId, limit: 10, ...o });
    },
  },
  {
    name: 'short list of four posts with author',
    // plain: 1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 4
    //     4 × SELECT … FROM "authors" AS "Author" WHERE "Author"."id" = 8
    async plain({ Post }, o) {
      for (const post of await Post.findAll({ order: byId, limit: 4, ...o })) {
        await post.getAuthor(o);
      }
    },
  },
  {
    name: 'pages 1 to 5 with their number of rows',
    // plain: 1 × SELECT count(*) AS "count" FROM "posts" AS "Post"
    //     1 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 10
    //     4 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 10 OFFSET 10
    async plain({ Post }, o) {
      // The total is counted for the first page and passed on, as a page link does.
      await Post.findAndCountAll({ order: byId, limit: 10, ...o });
      for (let page = 1; page < 5; page += 1) {
        await Post.findAll({ order: byId, limit: 10, offset: page * 10, ...o });
      }
    },
  },
  {
    name: 'all posts in keyset pages',
    // plain: 13 × SELECT … FROM "posts" AS "Post" WHERE "Post"."id" > 0 ORDER BY "Post"."id" ASC LIMIT 10
    async plain({ Post }, o) {
      let last = 0;
      for (;;) {
        const page = await Post.findAll({ where: { id: { [Op.gt]: last } }, order: byId, limit: 10, ...o });
        if (page.length === 0) {
          return;
        }
        last = page[page.length - 1].id;
      }
    },
  },
  {
    name: 'all posts in offset pages with their authors',
    // plain: 8 × SELECT … FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 10 OFFSET 0
    //     8 × SELECT … FROM "authors" AS "Author" WHERE "Author"."id" IN (8, …)
    async plain({ Post, Author }, o) {
      for (let page = 0; page < 8; page += 1) {
        const posts = await Post.findAll({ order: byId, limit: 10, offset: page * 10, ...o });
        await Author.findAll({ where: { id: posts.map((post) => post.author_id) }, ...o });
      }
    },
  },
  {
    name: 'comments of all posts in batches of keys',
    // plain: 1 × SELECT "id" FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 60
    //     6 × SELECT … FROM "comments" AS "Comment" WHERE "Comment"."post_id" IN (1, …)
    async plain({ Post, Comment }, o) {
      const posts = await Post.findAll({ attributes: ['id'], order: byId, limit: 60, ...o });
      for (let start = 0; start < 60; start += 10) {
        await Comment.findAll({ where: { post_id: ids(posts.slice(start, start + 10)) }, ...o });
      }
    },
  },
  {
    name: 'login and dashboard',
    // plain: 1 × SELECT … FROM "users" AS "User" WHERE "User"."email" = 'user5@example.org' LIMIT 1
    //     1 × SELECT "token", "user_id" FROM "sessions" AS "Session" WHERE "Session"."user_id" = '0a79…' LIMIT 1
    //     1 × SELECT "token", "user_id" FROM "sessions" AS "Session" WHERE "Session"."token" = 'token-0ac8…'
    //     1 × SELECT … FROM "users" AS "User" WHERE "User"."id" = '0a79…'
    //     1 × SELECT "id", "user_id", "placed_on" FROM "orders" AS "Order" WHERE "Order"."user_id" = '0a79…' ORDER …
    //     1 × SELECT count(*) AS "count" FROM "orders" AS "Order" WHERE "Order"."user_id" = '0a79…'
    async plain(db, o) {
      const user = await db.User.findOne({ where: { email: 'user5@example.org' }, ...o });
      const session = await db.Session.findOne({ where: { user_id: user.id }, ...o });
      await dashboard(db, session.token, o);
    },
  },
  {
    name: 'six settings by key from a list in the program',
    // plain: 6 × SELECT "key", "value" FROM "settings" AS "Setting" WHERE "Setting"."key" = 'ui.theme'
    async plain({ Setting }, o) {
      for (const name of ['theme', 'locale', 'logo', 'footer', 'banner', 'search']) {
        await Setting.findByPk(`ui.${name}`, o);
      }
    },
  },
  {
    name: 'way from a category up to its root',
    // plain: 3 × SELECT "id", "parent_id", "name" FROM "categories" AS "Category" WHERE "Category"."id" = 19
    async plain({ Category }, o) {
      let category = await Category.findByPk(19, o);
      while (category.parent_id !== null) {
        category = await category.getParent(o);
      }
    },
  },
];

// Twelve requests, each for the page of another post.
async function openPages({ Post }) {
  for (const slug of Array.from({ length: 12 }, (_, i) => `post-${i * 9 % 37 + 1}`)) {
    const post = await Post.findOne({ where: { slug } });
    await post.getAuthor();
    await post.getComments({ include: 'author' });
  }
}

// Requests of different users, back to back in one session.  The tokens are
// read in another session: a real server gets them from its clients.
const pooled = [
  {
    name: 'twelve dashboards of different users back to back',
    // plain: 1 × SELECT "token" FROM "sessions" AS "Session" ORDER BY "Session"."token" LIMIT 12
    //     12 × SELECT "token", "user_id" FROM "sessions" AS "Session" WHERE "Session"."token" = 'token-0ac8…'
    //     12 × SELECT … FROM "users" AS "User" WHERE "User"."id" = '0a79…'
    //     12 × SELECT "id", "user_id", "placed_on" FROM "orders" AS "Order" WHERE "Order"."user_id" = '0a79…' ORDER …
    //     12 × SELECT count(*) AS "count" FROM "orders" AS "Order" WHERE "Order"."user_id" = '0a79…'
    modes: ['autocommit', 'pooled'],
    async plain(db) {
      const tokens = await otherSession((other) => sessionTokens(other, {}));
      for (const token of tokens) {
        await db.sequelize.transaction((transaction) => dashboard(db, token, { transaction }));
      }
    },
  },
  {
    name: 'twelve post pages of different posts back to back',
    // plain: 12 × SELECT … FROM "posts" AS "Post" WHERE "Post"."slug" = 'post-1' LIMIT 1
    //     12 × SELECT … FROM "authors" AS "Author" WHERE "Author"."id" = 8
    //     12 × SELECT … FROM "comments" AS "Comment" LEFT OUTER JOIN "authors" AS "author" ON … WHERE …
    modes: ['autocommit', 'pooled'],
    plain: openPages,
  },
  {
    name: 'a list of posts, then twelve post pages back to back',
    // plain: 1 × SELECT "id", "title" FROM "posts" AS "Post" ORDER BY "Post"."id" ASC LIMIT 60
    //     12 × SELECT … FROM "posts" AS "Post" WHERE "Post"."slug" = 'post-1' LIMIT 1
    //     12 × SELECT … FROM "authors" AS "Author" WHERE "Author"."id" = 8
    //     12 × SELECT … FROM "comments" AS "Comment" LEFT OUTER JOIN "authors" AS "author" ON … WHERE …
    modes: ['autocommit', 'pooled'],
    async plain(db) {
      await db.Post.findAll({ attributes: ['id', 'title'], order: byId, limit: 60 });
      await openPages(db);
    },
  },
  {
    name: 'nine searches for posts with author back to back',
    // plain: 9 × SELECT … FROM "posts" AS "Post" WHERE "Post"."slug" LIKE 'post-1%' ORDER BY "Post"."id" ASC LIMIT 4
    //     9 × SELECT … FROM "authors" AS "Author" WHERE "Author"."id" IN (8, …)
    modes: ['autocommit', 'pooled'],
    async plain(db) {
      for (let digit = 1; digit < 10; digit += 1) {
        const posts = await db.Post.findAll({ where: { slug: { [Op.like]: `post-${digit}%` } }, order: byId, limit: 4 });
        await db.Author.findAll({ where: { id: posts.map((post) => post.author_id) } });
      }
    },
  },
];

async function otherSession(read) {
  const session = await openSession();
  try {
    return await session.run(read, false);
  } finally {
    await session.close();
  }
}

if (require.main === module) {
  main('sequelize', [...associations, ...deep, ...keys, ...loops, ...quiet, ...pooled, ...require('./kinds')], openSession);
}
