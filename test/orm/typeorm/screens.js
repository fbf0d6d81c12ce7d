'use strict';

// The screens on TypeORM.  All statements are unnamed, with parameters.  Beside
// each version: what it sends.  The loader of lazy relations joins the parent's
// table again and compares its primary key, so that the link runs from the list
// to itself.

const typeorm = process.env.TYPEORM || 'typeorm';
const { In, IsNull, Like, MoreThan } = require(typeorm);
const { openSession } = require('./entities');
const { main } = require('../harness');

const byId = { id: 'ASC' };
const listPosts = (db) => db.find('Post', { order: byId, take: 20 });
const postsWith = (db, relations, more = {}) => db.find('Post', { relations, order: byId, take: 20, ...more });
const ids = (rows) => rows.map((row) => row.id);

const POSTS = 'FROM "posts" "Post" ORDER BY';
const authorsOfPosts = {
  repeated: 'FROM "authors" "author" INNER JOIN "posts" "Post" ON .* WHERE ',
  parent: POSTS,
  repeats: 20,
  link: 'posts\\.id → posts\\.id',
};
const commentsOfPosts = {
  repeated: 'FROM "comments" "comments" WHERE ',
  parent: POSTS,
  repeats: 20,
  link: 'comments\\.post_id → posts\\.id',
};

const associations = [
  {
    name: 'post list with author',
    // lazy: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "authors" "author" INNER JOIN "posts" "Post" ON … WHERE "Post"."id" IN ($1)
    // relations: 1 × SELECT DISTINCT … FROM (SELECT … FROM "posts" "Post" LEFT JOIN "authors" "Post__Post_author" …
    //     1 × SELECT … FROM "posts" "Post" LEFT JOIN "authors" "Post__Post_author" ON … WHERE "Post"."id" IN (1, …) …
    // relationLoadStrategy: query: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     1 × SELECT … FROM "authors" "Author" INNER JOIN "posts" "Post" ON … WHERE "Post"."id" IN ($1, …)
    // QueryBuilder: 1 × SELECT DISTINCT … FROM (SELECT … FROM "posts" "post" LEFT JOIN "authors" "author" ON …) …
    //     1 × SELECT … FROM "posts" "post" LEFT JOIN "authors" "author" ON … WHERE "post"."id" IN (1, …) ORDER BY …
    // keys in In(): 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     1 × SELECT … FROM "authors" "Author" WHERE (("Author"."id" IN ($1, …)))
    lazy: {
      finds: [authorsOfPosts],
      async run(db) {
        for (const post of await listPosts(db)) {
          await post.author;
        }
      },
    },
    eager: {
      relations: (db) => postsWith(db, { author: true }),
      'relationLoadStrategy: query': (db) => postsWith(db, { author: true }, { relationLoadStrategy: 'query' }),
      QueryBuilder: (db) => db.createQueryBuilder('Post', 'post')
        .leftJoinAndSelect('post.author', 'author').orderBy('post.id').take(20).getMany(),
      async 'keys in In()'(db) {
        const posts = await listPosts(db);
        await db.findBy('Author', { id: In([...new Set(posts.map((post) => post.author_id))]) });
      },
    },
  },
  {
    name: 'post list with author by findOneBy',
    // lazy: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "authors" "Author" WHERE (("Author"."id" = $1)) LIMIT 1
    lazy: {
      finds: [{
        repeated: 'FROM "authors" "Author" WHERE ',
        parent: POSTS,
        repeats: 20,
        link: 'posts\\.author_id → authors\\.id',
      }],
      async run(db) {
        for (const post of await listPosts(db)) {
          await db.findOneBy('Author', { id: post.author_id });
        }
      },
    },
  },
  {
    name: 'post list with author by QueryBuilder',
    // lazy: 1 × SELECT … FROM "posts" "post" ORDER BY "post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "authors" "a" WHERE "a"."id" = $1
    lazy: {
      finds: [{
        repeated: 'FROM "authors" "a" WHERE "a"."id" = ',
        // To the server this is the list of the other screens, with another alias:
        // the one that was there first gives the text.
        parent: 'FROM "posts" "[Pp]ost"',
        repeats: 20,
        link: 'posts\\.author_id → authors\\.id',
      }],
      async run(db) {
        for (const post of await db.createQueryBuilder('Post', 'post').orderBy('post.id').limit(20).getMany()) {
          await db.createQueryBuilder('Author', 'a').where('a.id = :id', { id: post.author_id }).getOne();
        }
      },
    },
  },
  {
    name: 'post list with author by relation query builder',
    // lazy: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "authors" "author" INNER JOIN "posts" "Post" ON … WHERE "Post"."id" IN ($1)
    lazy: {
      finds: [authorsOfPosts],
      async run(db) {
        for (const post of await listPosts(db)) {
          await db.createQueryBuilder().relation('Post', 'author').of(post).loadOne();
        }
      },
    },
  },
  {
    name: 'post list with all authors at once by Promise.all',
    // lazy: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "authors" "author" INNER JOIN "posts" "Post" ON … WHERE "Post"."id" IN ($1)
    lazy: {
      finds: [authorsOfPosts],
      async run(db) {
        const posts = await listPosts(db);
        await Promise.all(posts.map((post) => post.author));
      },
    },
  },
  {
    name: 'post list with comments',
    // lazy: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "comments" "comments" WHERE "comments"."post_id" IN ($1)
    // relations: 1 × SELECT DISTINCT … FROM (SELECT … FROM "posts" "Post" LEFT JOIN "comments" …
    //     1 × SELECT … FROM "posts" "Post" LEFT JOIN "comments" "Post__Post_comments" ON … WHERE "Post"."id" IN (1, …
    // relationLoadStrategy: query: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     1 × SELECT … FROM "comments" "Comment" WHERE "Comment"."post_id" IN ($1, …)
    //     1 × SELECT … FROM "comments" "Comment" WHERE "Comment"."post_id" IN (1, …)
    lazy: {
      finds: [commentsOfPosts],
      async run(db) {
        for (const post of await listPosts(db)) {
          await post.comments;
        }
      },
    },
    eager: {
      relations: (db) => postsWith(db, { comments: true }),
      'relationLoadStrategy: query': (db) => postsWith(db, { comments: true }, { relationLoadStrategy: 'query' }),
    },
  },
  {
    name: 'post list with comment counts',
    // lazy: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT COUNT(1) AS "cnt" FROM "comments" "Comment" WHERE (("Comment"."post_id" = $1))
    // count by group: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     1 × SELECT … FROM "comments" "c" WHERE "c"."post_id" IN ($1, …) GROUP BY "c"."post_id"
    lazy: {
      finds: [{
        repeated: 'SELECT COUNT.* FROM "comments" "Comment" WHERE ',
        parent: POSTS,
        repeats: 20,
        link: 'comments\\.post_id → posts\\.id',
      }],
      async run(db) {
        for (const post of await listPosts(db)) {
          await db.countBy('Comment', { post_id: post.id });
        }
      },
    },
    eager: {
      async 'count by group'(db) {
        const posts = await listPosts(db);
        await db.createQueryBuilder('Comment', 'c').select('c.post_id').addSelect('count(*)', 'count')
          .where({ post_id: In(ids(posts)) }).groupBy('c.post_id').getRawMany();
      },
    },
  },
  {
    name: 'post list with tags',
    // lazy: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "tags" "tags" INNER JOIN "post_tags" "post_tags" ON "post_tags"."post_id" IN ($1) AND …
    // relations: 1 × SELECT DISTINCT … FROM (SELECT … FROM "posts" "Post" LEFT JOIN "post_tags" …
    //     1 × SELECT … FROM "posts" "Post" LEFT JOIN "post_tags" "Post_Post__Post_tags" ON … LEFT JOIN "tags" …
    // relationLoadStrategy: query: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     1 × SELECT … FROM "tags" "Tag" INNER JOIN "post_tags" "post_tags" ON … AND "post_tags"."tag_id"="Tag"."id"
    //     1 × SELECT … FROM "post_tags" "post_tags" WHERE "post_tags"."post_id" IN (1, …) AND "post_tags"."tag_id" …
    lazy: {
      finds: [{
        repeated: 'FROM "tags" "tags" INNER JOIN "post_tags" "post_tags" ON ',
        parent: POSTS,
        repeats: 20,
        link: 'post_tags\\.post_id → posts\\.id',
      }],
      async run(db) {
        for (const post of await listPosts(db)) {
          await post.tags;
        }
      },
    },
    eager: {
      relations: (db) => postsWith(db, { tags: true }),
      'relationLoadStrategy: query': (db) => postsWith(db, { tags: true }, { relationLoadStrategy: 'query' }),
    },
  },
  {
    name: 'posts opened one by one with their comments joined',
    // lazy: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 10
    //     10 × SELECT DISTINCT … FROM (SELECT … FROM "posts" "Post" LEFT JOIN "comments" "Post__Post_comments" ON … …
    //     10 × SELECT … FROM "posts" "Post" LEFT JOIN "comments" "Post__Post_comments" ON … WHERE ( (("Post"."id" = …
    // relations: 1 × SELECT DISTINCT … FROM (SELECT … FROM "posts" "Post" LEFT JOIN "comments" …
    //     1 × SELECT … FROM "posts" "Post" LEFT JOIN "comments" "Post__Post_comments" ON … WHERE "Post"."id" IN (1, …
    // findOne with a joined collection first looks for the key, then reads
    // by it: two statements a row, and two findings.
    lazy: {
      finds: [
        {
          repeated: 'SELECT DISTINCT "distinctAlias"',
          parent: POSTS,
          repeats: 10,
        },
        {
          repeated: '^SELECT "Post"."id" .* FROM "posts" "Post" LEFT JOIN "comments" .* WHERE .* AND ',
          parent: 'FROM "posts" "Post"',
          repeats: 10,
        },
      ],
      async run(db) {
        for (const post of await db.find('Post', { order: byId, take: 10 })) {
          await db.findOne('Post', { where: { id: post.id }, relations: { comments: true } });
        }
      },
    },
    eager: {
      relations: (db) => db.find('Post', { relations: { comments: true }, order: byId, take: 10 }),
    },
  },
  {
    name: 'authors with latest post',
    // lazy: 1 × SELECT … FROM "authors" "Author" ORDER BY "Author"."id" ASC
    //     13 × SELECT … FROM "posts" "Post" WHERE (("Post"."author_id" = $1)) ORDER BY "Post"."id" DESC LIMIT 1
    // max by group: 1 × SELECT … FROM "posts" "p" GROUP BY "p"."author_id"
    lazy: {
      finds: [{
        repeated: 'FROM "posts" "Post" WHERE .*"Post"."author_id" = ',
        parent: 'FROM "authors" "Author"',
        repeats: 13,
        link: 'posts\\.author_id → authors\\.id',
      }],
      async run(db) {
        for (const author of await db.find('Author', { order: byId })) {
          await db.findOne('Post', { where: { author_id: author.id }, order: { id: 'DESC' } });
        }
      },
    },
    eager: {
      'max by group': (db) => db.createQueryBuilder('Post', 'p')
        .select('p.author_id').addSelect('max(p.id)', 'latest').groupBy('p.author_id').getRawMany(),
    },
  },
  {
    name: 'authors with profile, mostly missing',
    // lazy: 1 × SELECT … FROM "authors" "Author" ORDER BY "Author"."id" ASC
    //     13 × SELECT … FROM "profiles" "profile" WHERE "profile"."author_id" IN ($1)
    // relations: 1 × SELECT … FROM "authors" "Author" LEFT JOIN "profiles" "Author__Author_profile" ON … ORDER BY …
    lazy: {
      finds: [{
        repeated: 'FROM "profiles" "profile" WHERE ',
        parent: 'FROM "authors" "Author"',
        repeats: 13,
        link: 'profiles\\.author_id → authors\\.id',
      }],
      async run(db) {
        for (const author of await db.find('Author', { order: byId })) {
          await author.profile;
        }
      },
    },
    eager: {
      relations: (db) => db.find('Author', { relations: { profile: true }, order: byId }),
    },
  },
  {
    name: 'authors with country by varchar key',
    // lazy: 1 × SELECT … FROM "authors" "Author" ORDER BY "Author"."id" ASC
    //     13 × SELECT … FROM "countries" "Country" WHERE (("Country"."code" = $1)) LIMIT 1
    // relations: 1 × SELECT … FROM "authors" "Author" LEFT JOIN "countries" "Author__Author_country" ON … ORDER BY …
    lazy: {
      finds: [{
        repeated: 'FROM "countries" "Country" WHERE ',
        parent: 'FROM "authors" "Author"',
        repeats: 13,
        link: 'authors\\.country_code → countries\\.code',
      }],
      async run(db) {
        for (const author of await db.find('Author', { order: byId })) {
          await db.findOneBy('Country', { code: author.country_code });
        }
      },
    },
    eager: {
      relations: (db) => db.find('Author', { relations: { country: true }, order: byId }),
    },
  },
  {
    name: 'root categories with children of the same table',
    // lazy: 1 × SELECT … FROM "categories" "Category" WHERE (("Category"."parent_id" IS NULL)) ORDER BY …
    //     6 × SELECT … FROM "categories" "children" WHERE "children"."parent_id" IN ($1)
    // relations: 1 × SELECT … FROM "categories" "Category" LEFT JOIN "categories" "Category__Category_children" ON …
    lazy: {
      finds: [{
        repeated: 'FROM "categories" "children" WHERE ',
        parent: 'FROM "categories" "Category" WHERE .* IS NULL',
        repeats: 6,
        link: 'categories\\.parent_id → categories\\.id',
      }],
      async run(db) {
        for (const root of await db.find('Category', { where: { parent_id: IsNull() }, order: byId })) {
          await root.children;
        }
      },
    },
    eager: {
      relations: (db) => db.find('Category', {
        where: { parent_id: IsNull() }, relations: { children: true }, order: byId,
      }),
    },
  },
];

const deep = [
  {
    name: 'orders with items and products',
    // lazy: 1 × SELECT … FROM "orders" "Order" ORDER BY "Order"."placed_on" ASC, "Order"."id" ASC LIMIT 6
    //     6 × SELECT … FROM "order_items" "items" WHERE "items"."order_id" IN ($1)
    //     18 × SELECT … FROM "products" "product" INNER JOIN "order_items" "OrderItem" ON … WHERE "OrderItem"."id" …
    // relations: 1 × SELECT DISTINCT … FROM (SELECT … FROM "orders" "Order" LEFT JOIN "order_items" …
    //     1 × SELECT … FROM "orders" "Order" LEFT JOIN "order_items" "Order__Order_items" ON … LEFT JOIN "products" …
    // relationLoadStrategy: query: 1 × SELECT … FROM "orders" "Order" ORDER BY "Order"."placed_on" ASC, …
    //     2 × SELECT … FROM "order_items" "OrderItem" WHERE "OrderItem"."order_id" IN ($1, …)
    //     1 × SELECT … FROM "products" "Product" INNER JOIN "order_items" "OrderItem" ON … WHERE "OrderItem"."id" …
    // QueryBuilder: 1 × SELECT DISTINCT … FROM (SELECT … FROM "orders" "o" LEFT JOIN "order_items" "i" ON … LEFT …
    //     1 × SELECT … FROM "orders" "o" LEFT JOIN "order_items" "i" ON … LEFT JOIN "products" "p" ON … WHERE …
    lazy: {
      finds: [
        {
          repeated: 'FROM "order_items" "items" WHERE ',
          parent: 'FROM "orders" "Order"',
          repeats: 6,
          link: 'order_items\\.order_id → orders\\.id',
        },
        {
          repeated: 'FROM "products" "product" INNER JOIN "order_items" "OrderItem"',
          parent: 'FROM "order_items" "items"',
          repeats: 18,
          link: 'order_items\\.id → order_items\\.id',
        },
      ],
      async run(db) {
        for (const order of await db.find('Order', { order: { placed_on: 'ASC', id: 'ASC' }, take: 6 })) {
          for (const item of await order.items) {
            await item.product;
          }
        }
      },
    },
    eager: {
      relations: (db) => db.find('Order', {
        relations: { items: { product: true } }, order: { placed_on: 'ASC', id: 'ASC' }, take: 6,
      }),
      'relationLoadStrategy: query': (db) => db.find('Order', {
        relations: { items: { product: true } },
        relationLoadStrategy: 'query',
        order: { placed_on: 'ASC', id: 'ASC' },
        take: 6,
      }),
      QueryBuilder: (db) => db.createQueryBuilder('Order', 'o')
        .leftJoinAndSelect('o.items', 'i').leftJoinAndSelect('i.product', 'p')
        .orderBy('o.placed_on').addOrderBy('o.id').take(6).getMany(),
    },
  },
  {
    name: 'post list with author, category and comments in turn',
    // lazy: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "authors" "author" INNER JOIN "posts" "Post" ON … WHERE "Post"."id" IN ($1)
    //     20 × SELECT … FROM "categories" "category" INNER JOIN "posts" "Post" ON … WHERE "Post"."id" IN ($1)
    //     20 × SELECT … FROM "comments" "comments" WHERE "comments"."post_id" IN ($1)
    // relations: 1 × SELECT DISTINCT … FROM (SELECT … FROM "posts" "Post" LEFT JOIN "authors" "Post__Post_author" …
    //     1 × SELECT … FROM "posts" "Post" LEFT JOIN "authors" "Post__Post_author" ON … LEFT JOIN "categories" …
    // relationLoadStrategy: query: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     1 × SELECT … FROM "authors" "Author" INNER JOIN "posts" "Post" ON … WHERE "Post"."id" IN ($1, …)
    //     1 × SELECT … FROM "categories" "Category" INNER JOIN "posts" "Post" ON … WHERE "Post"."id" IN ($1, …)
    //     1 × SELECT … FROM "comments" "Comment" WHERE "Comment"."post_id" IN ($1, …)
    //     1 × SELECT … FROM "comments" "Comment" WHERE "Comment"."post_id" IN (1, …)
    lazy: {
      finds: [
        authorsOfPosts,
        {
          repeated: 'FROM "categories" "category" INNER JOIN "posts" "Post"',
          parent: POSTS,
          repeats: 20,
          link: 'posts\\.id → posts\\.id',
        },
        commentsOfPosts,
      ],
      async run(db) {
        for (const post of await listPosts(db)) {
          await post.author;
          await post.category;
          await post.comments;
        }
      },
    },
    eager: {
      relations: (db) => postsWith(db, { author: true, category: true, comments: true }),
      'relationLoadStrategy: query': (db) => postsWith(db,
        { author: true, category: true, comments: true }, { relationLoadStrategy: 'query' }),
    },
  },
  {
    name: 'comments with post and its category',
    // lazy: 1 × SELECT … FROM "comments" "Comment" WHERE (("Comment"."id" IN ($1, …))) ORDER BY "Comment"."id" ASC
    //     12 × SELECT … FROM "posts" "Post" WHERE (("Post"."id" = $1)) LIMIT 1
    //     12 × SELECT … FROM "categories" "Category" WHERE (("Category"."id" = $1)) LIMIT 1
    // relations: 1 × SELECT … FROM "comments" "Comment" LEFT JOIN "posts" "Comment__Comment_post" ON … LEFT JOIN …
    lazy: {
      finds: [
        {
          repeated: 'FROM "posts" "Post" WHERE ',
          parent: 'FROM "comments" "Comment"',
          repeats: 12,
          link: 'comments\\.post_id → posts\\.id',
        },
        {
          repeated: 'FROM "categories" "Category" WHERE ',
          parent: '(FROM "posts" "Post" WHERE|FROM "comments" "Comment")',
          repeats: 12,
          link: 'posts\\.category_id → categories\\.id',
        },
      ],
      async run(db) {
        const comments = await db.find('Comment', {
          where: { id: In(Array.from({ length: 12 }, (_, i) => (i + 1) * 10)) }, order: byId,
        });
        for (const comment of comments) {
          const post = await db.findOneBy('Post', { id: comment.post_id });
          await db.findOneBy('Category', { id: post.category_id });
        }
      },
    },
    eager: {
      relations: (db) => db.find('Comment', {
        where: { id: In(Array.from({ length: 12 }, (_, i) => (i + 1) * 10)) }, relations: { post: { category: true } },
      }),
    },
  },
  {
    name: 'post list, all authors, then all their countries',
    // lazy: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 12
    //     12 × SELECT … FROM "authors" "author" INNER JOIN "posts" "Post" ON … WHERE "Post"."id" IN ($1)
    //     12 × SELECT … FROM "countries" "country" INNER JOIN "authors" "Author" ON … WHERE "Author"."id" IN ($1)
    // relations: 1 × SELECT DISTINCT … FROM (SELECT … FROM "posts" "Post" LEFT JOIN "authors" "Post__Post_author" …
    //     1 × SELECT … FROM "posts" "Post" LEFT JOIN "authors" "Post__Post_author" ON … LEFT JOIN "countries" …
    lazy: {
      finds: [
        { ...authorsOfPosts, repeats: 12 },
        {
          repeated: 'FROM "countries" "country" INNER JOIN "authors" "Author"',
          parent: '(FROM "authors" "author" INNER JOIN|FROM "posts" "Post" ORDER)',
          repeats: 12,
        },
      ],
      async run(db) {
        const authors = [];
        for (const post of await db.find('Post', { order: byId, take: 12 })) {
          authors.push(await post.author);
        }
        for (const author of authors) {
          await author.country;
        }
      },
    },
    eager: {
      relations: (db) => db.find('Post', { relations: { author: { country: true } }, order: byId, take: 12 }),
    },
  },
  {
    name: 'post page with the author of each comment',
    // lazy: 1 × SELECT … FROM "posts" "Post" WHERE (("Post"."id" = $1)) LIMIT 1
    //     1 × SELECT … FROM "comments" "comments" WHERE "comments"."post_id" IN ($1)
    //     9 × SELECT … FROM "authors" "author" INNER JOIN "comments" "Comment" ON … WHERE "Comment"."id" IN ($1)
    // relations: 1 × SELECT DISTINCT … FROM (SELECT … FROM "posts" "Post" LEFT JOIN "comments" …
    //     1 × SELECT … FROM "posts" "Post" LEFT JOIN "comments" "Post__Post_comments" ON … LEFT JOIN "authors" …
    lazy: {
      finds: [{
        repeated: 'FROM "authors" "author" INNER JOIN "comments" "Comment"',
        parent: 'FROM "comments" "comments" WHERE',
        repeats: 9,
        link: 'comments\\.id → comments\\.id',
      }],
      async run(db) {
        const post = await db.findOneBy('Post', { id: 7 });
        for (const comment of await post.comments) {
          await comment.author;
        }
      },
    },
    eager: {
      relations: (db) => db.findOne('Post', { where: { id: 7 }, relations: { comments: { author: true } } }),
    },
  },
  {
    name: 'attachments with their owner, of two types',
    // lazy: 1 × SELECT … FROM "attachments" "Attachment" ORDER BY "Attachment"."id" ASC
    //     7 × SELECT … FROM "authors" "Author" WHERE (("Author"."id" = $1)) LIMIT 1
    //     7 × SELECT … FROM "posts" "Post" WHERE (("Post"."id" = $1)) LIMIT 1
    // keys in In() by type: 1 × SELECT … FROM "attachments" "Attachment" ORDER BY "Attachment"."id" ASC
    //     1 × SELECT … FROM "posts" "Post" WHERE (("Post"."id" IN ($1, …)))
    //     1 × SELECT … FROM "authors" "Author" WHERE (("Author"."id" IN ($1, …)))
    lazy: {
      finds: [
        { repeated: 'FROM "posts" "Post" WHERE ', parent: 'FROM "attachments" "Attachment"', repeats: 7 },
        { repeated: 'FROM "authors" "Author" WHERE ', parent: 'FROM "attachments" "Attachment"', repeats: 7 },
      ],
      async run(db) {
        const entities = { post: 'Post', author: 'Author' };
        for (const file of await db.find('Attachment', { order: byId })) {
          await db.findOneBy(entities[file.owner_type], { id: file.owner_id });
        }
      },
    },
    eager: {
      async 'keys in In() by type'(db) {
        const files = await db.find('Attachment', { order: byId });
        for (const [type, name] of [['post', 'Post'], ['author', 'Author']]) {
          await db.findBy(name, { id: In(files.filter((file) => file.owner_type === type).map((file) => file.owner_id)) });
        }
      },
    },
  },
  {
    name: 'post list with polymorphic attachments',
    // lazy: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "attachments" "Attachment" WHERE (("Attachment"."owner_type" = $1) AND …
    // keys in In(): 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     1 × SELECT … FROM "attachments" "Attachment" WHERE (("Attachment"."owner_type" = $1) AND …
    lazy: {
      finds: [{ repeated: 'FROM "attachments" "Attachment" WHERE ', parent: POSTS, repeats: 20 }],
      async run(db) {
        for (const post of await listPosts(db)) {
          await db.findBy('Attachment', { owner_type: 'post', owner_id: post.id });
        }
      },
    },
    eager: {
      async 'keys in In()'(db) {
        const posts = await listPosts(db);
        await db.findBy('Attachment', { owner_type: 'post', owner_id: In(ids(posts)) });
      },
    },
  },
];

const firstDays = { placed_on: In(['2024-03-01', '2024-03-02', '2024-03-03']) };

const keys = [
  {
    name: 'users by uuid',
    // lazy: 1 × SELECT … FROM "orders" "Order" WHERE (("Order"."placed_on" IN ($1, …))) LIMIT 10
    //     10 × SELECT … FROM "users" "User" WHERE (("User"."id" = $1)) LIMIT 1
    // keys in In(): 1 × SELECT … FROM "orders" "Order" WHERE (("Order"."placed_on" IN ($1, …))) LIMIT 10
    //     1 × SELECT … FROM "users" "User" WHERE (("User"."id" IN ($1, …)))
    lazy: {
      finds: [{
        repeated: 'FROM "users" "User" WHERE ',
        parent: 'FROM "orders" "Order"',
        repeats: 10,
        link: 'orders\\.user_id → users\\.id',
      }],
      async run(db) {
        for (const order of await db.find('Order', { where: firstDays, take: 10 })) {
          await db.findOneBy('User', { id: order.user_id });
        }
      },
    },
    eager: {
      async 'keys in In()'(db) {
        const orders = await db.find('Order', { where: firstDays, take: 10 });
        await db.findBy('User', { id: In(orders.map((order) => order.user_id)) });
      },
    },
  },
  {
    name: 'menu with settings by text key',
    // lazy: 1 × SELECT … FROM "menu_entries" "MenuEntry" ORDER BY "MenuEntry"."id" ASC
    //     8 × SELECT … FROM "settings" "Setting" WHERE (("Setting"."key" = $1)) LIMIT 1
    // keys in In(): 1 × SELECT … FROM "menu_entries" "MenuEntry" ORDER BY "MenuEntry"."id" ASC
    //     1 × SELECT … FROM "settings" "Setting" WHERE (("Setting"."key" IN ($1, …)))
    lazy: {
      finds: [{
        repeated: 'FROM "settings" "Setting" WHERE ', parent: 'FROM "menu_entries" "MenuEntry"', repeats: 8,
      }],
      async run(db) {
        for (const entry of await db.find('MenuEntry', { order: byId })) {
          await db.findOneBy('Setting', { key: entry.setting_key });
        }
      },
    },
    eager: {
      async 'keys in In()'(db) {
        const entries = await db.find('MenuEntry', { order: byId });
        await db.findBy('Setting', { key: In(entries.map((entry) => entry.setting_key)) });
      },
    },
  },
  {
    name: 'invoices with payments by numeric key',
    // lazy: 1 × SELECT … FROM "invoices" "Invoice" ORDER BY "Invoice"."number" ASC LIMIT 15
    //     15 × SELECT … FROM "payments" "payments" WHERE "payments"."invoice_number" IN ($1)
    // relations: 1 × SELECT DISTINCT … FROM (SELECT … FROM "invoices" "Invoice" LEFT JOIN "payments" …
    //     1 × SELECT … FROM "invoices" "Invoice" LEFT JOIN "payments" "Invoice__Invoice_payments" ON … WHERE …
    lazy: {
      finds: [{
        repeated: 'FROM "payments" "payments" WHERE ',
        parent: 'FROM "invoices" "Invoice"',
        repeats: 15,
        link: 'payments\\.invoice_number → invoices\\.number',
      }],
      async run(db) {
        for (const invoice of await db.find('Invoice', { order: { number: 'ASC' }, take: 15 })) {
          await invoice.payments;
        }
      },
    },
    eager: {
      relations: (db) => db.find('Invoice', { relations: { payments: true }, order: { number: 'ASC' }, take: 15 }),
    },
  },
  {
    name: 'orders of each day',
    // lazy: 1 × SELECT "o"."placed_on" AS "day" FROM "orders" "o" GROUP BY "o"."placed_on" ORDER BY "o"."placed_on" …
    //     15 × SELECT COUNT(1) AS "cnt" FROM "orders" "Order" WHERE (("Order"."placed_on" = $1))
    // count by group: 1 × SELECT … FROM "orders" "o" GROUP BY "o"."placed_on"
    lazy: {
      finds: [{
        repeated: 'SELECT COUNT.* FROM "orders" "Order" WHERE ', parent: 'FROM "orders" "o" GROUP BY', repeats: 15,
      }],
      async run(db) {
        const days = await db.createQueryBuilder('Order', 'o')
          .select('o.placed_on', 'day').groupBy('o.placed_on').orderBy('o.placed_on').getRawMany();
        for (const { day } of days) {
          await db.countBy('Order', { placed_on: day });
        }
      },
    },
    eager: {
      'count by group': (db) => db.createQueryBuilder('Order', 'o')
        .select('o.placed_on', 'day').addSelect('count(*)', 'count').groupBy('o.placed_on').getRawMany(),
    },
  },
  {
    name: 'post list with bodies loaded afterwards',
    // lazy: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post_id" ASC LIMIT 20
    //     20 × SELECT … FROM "posts" "Post" WHERE (("Post"."id" = $1))
    // all columns: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    lazy: {
      finds: [{
        repeated: 'SELECT "Post"."body" AS .* WHERE ',
        parent: 'SELECT "Post"."id" .* FROM "posts" "Post" ORDER BY',
        repeats: 20,
      }],
      async run(db) {
        for (const post of await db.find('Post', { select: { id: true, title: true }, order: byId, take: 20 })) {
          await db.find('Post', { select: { body: true }, where: { id: post.id } });
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
    name: 'raw query with parameters per row',
    // lazy: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT count(*) FROM comments WHERE post_id = $1
    // = ANY($1): 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     1 × SELECT post_id, count(*) FROM comments WHERE post_id = ANY($1) GROUP BY 1
    lazy: {
      finds: [{
        repeated: 'SELECT count.* FROM comments WHERE post_id = ',
        parent: POSTS,
        repeats: 20,
        link: 'comments\\.post_id → posts\\.id',
      }],
      async run(db) {
        for (const post of await listPosts(db)) {
          await db.query('SELECT count(*) FROM comments WHERE post_id = $1', [post.id]);
        }
      },
    },
    eager: {
      async '= ANY($1)'(db) {
        const posts = await listPosts(db);
        await db.query('SELECT post_id, count(*) FROM comments WHERE post_id = ANY($1) GROUP BY 1', [ids(posts)]);
      },
    },
  },
  {
    name: 'In() of one key per row',
    // lazy: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     20 × SELECT … FROM "categories" "Category" WHERE (("Category"."id" IN ($1)))
    lazy: {
      finds: [{
        repeated: 'FROM "categories" "Category" WHERE .* IN ',
        parent: POSTS,
        repeats: 20,
        link: 'posts\\.category_id → categories\\.id',
      }],
      async run(db) {
        for (const post of await listPosts(db)) {
          await db.findBy('Category', { id: In([post.category_id]) });
        }
      },
    },
  },
  {
    name: 'every other post opened, last first',
    // lazy: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 20
    //     10 × SELECT … FROM "comments" "comments" WHERE "comments"."post_id" IN ($1)
    lazy: {
      finds: [{ ...commentsOfPosts, repeats: 10 }],
      async run(db) {
        const posts = (await listPosts(db)).filter((_, place) => place % 2 === 0).reverse();
        for (const post of posts) {
          await post.comments;
        }
      },
    },
  },
  {
    name: 'orders locked one by one',
    // lazy: 1 × SELECT "Order"."id" AS "Order_id" FROM "orders" "Order" ORDER BY "Order_id" ASC LIMIT 8
    //     8 × SELECT … FROM "orders" "Order" WHERE (("Order"."id" = $1)) LIMIT 1 FOR UPDATE
    // one lock: 1 × SELECT … FROM "orders" "Order" ORDER BY "Order"."id" ASC LIMIT 8 FOR UPDATE
    modes: ['transaction'],
    lazy: {
      finds: [{
        repeated: 'FROM "orders" "Order" WHERE .* FOR UPDATE', parent: 'FROM "orders" "Order" ORDER BY', repeats: 8,
      }],
      async run(db) {
        for (const order of await db.find('Order', { select: { id: true }, order: byId, take: 8 })) {
          await db.findOne('Order', { where: { id: order.id }, lock: { mode: 'pessimistic_write' } });
        }
      },
    },
    eager: {
      'one lock': (db) => db.find('Order', { order: byId, take: 8, lock: { mode: 'pessimistic_write' } }),
    },
  },
  {
    name: 'five pages of posts with author',
    // lazy: 5 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 8 OFFSET 0
    //     40 × SELECT … FROM "authors" "author" INNER JOIN "posts" "Post" ON … WHERE "Post"."id" IN ($1)
    // relations: 5 × SELECT DISTINCT … FROM (SELECT … FROM "posts" "Post" LEFT JOIN "authors" "Post__Post_author" …
    //     5 × SELECT … FROM "posts" "Post" LEFT JOIN "authors" "Post__Post_author" ON … WHERE "Post"."id" IN (1, …) …
    lazy: {
      finds: [{ ...authorsOfPosts, repeats: 40 }],
      async run(db) {
        for (let page = 0; page < 5; page += 1) {
          for (const post of await db.find('Post', { order: byId, take: 8, skip: page * 8 })) {
            await post.author;
          }
        }
      },
    },
    eager: {
      async relations(db) {
        for (let page = 0; page < 5; page += 1) {
          await db.find('Post', { relations: { author: true }, order: byId, take: 8, skip: page * 8 });
        }
      },
    },
  },
  {
    name: 'current user loaded again for each part of the page',
    // lazy: 8 × SELECT … FROM "users" "User" WHERE (("User"."email" = $1)) LIMIT 1
    // once: 1 × SELECT … FROM "users" "User" WHERE (("User"."email" = $1)) LIMIT 1
    lazy: {
      finds: [{ kind: 'duplicate', repeated: 'FROM "users" "User" WHERE ', parent: null, repeats: 8 }],
      async run(db) {
        for (let part = 0; part < 8; part += 1) {
          await db.findOneBy('User', { email: 'user3@example.org' });
        }
      },
    },
    eager: {
      once: (db) => db.findOneBy('User', { email: 'user3@example.org' }),
    },
  },
];

// A request as a pooled connection sees it: session, user, dashboard.
async function dashboard(db, token) {
  const session = await db.findOneBy('Session', { token });
  const user = await db.findOneBy('User', { id: session.user_id });
  await db.find('Order', { where: { user_id: user.id }, order: { placed_on: 'DESC' }, take: 5 });
  await db.countBy('Order', { user_id: user.id });
}

const quiet = [
  {
    name: 'post page',
    // plain: 1 × SELECT … FROM "posts" "Post" WHERE (("Post"."id" = $1)) LIMIT 1
    //     1 × SELECT … FROM "authors" "author" INNER JOIN "posts" "Post" ON … WHERE "Post"."id" IN ($1)
    //     1 × SELECT … FROM "categories" "category" INNER JOIN "posts" "Post" ON … WHERE "Post"."id" IN ($1)
    //     1 × SELECT … FROM "comments" "comments" WHERE "comments"."post_id" IN ($1)
    //     1 × SELECT … FROM "tags" "tags" INNER JOIN "post_tags" "post_tags" ON "post_tags"."post_id" IN ($1) AND …
    //     1 × SELECT … FROM "tags" "Tag" ORDER BY "Tag"."id" ASC LIMIT 10
    async plain(db) {
      const post = await db.findOneBy('Post', { id: 7 });
      await post.author;
      await post.category;
      await post.comments;
      await post.tags;
      await db.find('Tag', { order: byId, take: 10 });
    },
  },
  {
    name: 'short list of four posts with author',
    // plain: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 4
    //     4 × SELECT … FROM "authors" "author" INNER JOIN "posts" "Post" ON … WHERE "Post"."id" IN ($1)
    async plain(db) {
      for (const post of await db.find('Post', { order: byId, take: 4 })) {
        await post.author;
      }
    },
  },
  {
    name: 'pages 1 to 5 with their number of rows',
    // plain: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 10
    //     1 × SELECT COUNT(1) AS "cnt" FROM "posts" "Post"
    //     4 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 10 OFFSET 10
    async plain(db) {
      // The total is counted for the first page and passed on, as a page link does.
      await db.findAndCount('Post', { order: byId, take: 10 });
      for (let page = 1; page < 5; page += 1) {
        await db.find('Post', { order: byId, take: 10, skip: page * 10 });
      }
    },
  },
  {
    name: 'all posts in keyset pages',
    // plain: 13 × SELECT … FROM "posts" "Post" WHERE (("Post"."id" > $1)) ORDER BY "Post"."id" ASC LIMIT 10
    async plain(db) {
      let last = 0;
      for (;;) {
        const page = await db.find('Post', { where: { id: MoreThan(last) }, order: byId, take: 10 });
        if (page.length === 0) {
          return;
        }
        last = page[page.length - 1].id;
      }
    },
  },
  {
    name: 'all posts in offset pages with their authors',
    // plain: 8 × SELECT … FROM "posts" "Post" ORDER BY "Post"."id" ASC LIMIT 10 OFFSET 0
    //     8 × SELECT … FROM "authors" "Author" INNER JOIN "posts" "Post" ON … WHERE "Post"."id" IN ($1, …)
    async plain(db) {
      for (let page = 0; page < 8; page += 1) {
        await db.find('Post', {
          relations: { author: true }, relationLoadStrategy: 'query', order: byId, take: 10, skip: page * 10,
        });
      }
    },
  },
  {
    name: 'comments of all posts in batches of keys',
    // plain: 1 × SELECT "Post"."id" AS "Post_id" FROM "posts" "Post" ORDER BY "Post_id" ASC LIMIT 60
    //     6 × SELECT … FROM "comments" "Comment" WHERE (("Comment"."post_id" IN ($1, …)))
    async plain(db) {
      const posts = await db.find('Post', { select: { id: true }, order: byId, take: 60 });
      for (let start = 0; start < 60; start += 10) {
        await db.findBy('Comment', { post_id: In(ids(posts.slice(start, start + 10))) });
      }
    },
  },
  {
    name: 'login and dashboard',
    // plain: 1 × SELECT … FROM "users" "User" WHERE (("User"."email" = $1)) LIMIT 1
    //     1 × SELECT … FROM "sessions" "Session" WHERE (("Session"."user_id" = $1)) LIMIT 1
    //     1 × SELECT … FROM "sessions" "Session" WHERE (("Session"."token" = $1)) LIMIT 1
    //     1 × SELECT … FROM "users" "User" WHERE (("User"."id" = $1)) LIMIT 1
    //     1 × SELECT … FROM "orders" "Order" WHERE (("Order"."user_id" = $1)) ORDER BY "Order"."placed_on" DESC …
    //     1 × SELECT COUNT(1) AS "cnt" FROM "orders" "Order" WHERE (("Order"."user_id" = $1))
    async plain(db) {
      const user = await db.findOneBy('User', { email: 'user5@example.org' });
      const session = await db.findOneBy('Session', { user_id: user.id });
      await dashboard(db, session.token);
    },
  },
  {
    name: 'six settings by key from a list in the program',
    // plain: 6 × SELECT … FROM "settings" "Setting" WHERE (("Setting"."key" = $1)) LIMIT 1
    async plain(db) {
      for (const name of ['theme', 'locale', 'logo', 'footer', 'banner', 'search']) {
        await db.findOneBy('Setting', { key: `ui.${name}` });
      }
    },
  },
  {
    name: 'way from a category up to its root',
    // plain: 3 × SELECT … FROM "categories" "Category" WHERE (("Category"."id" = $1)) LIMIT 1
    async plain(db) {
      let category = await db.findOneBy('Category', { id: 19 });
      while (category.parent_id !== null) {
        category = await db.findOneBy('Category', { id: category.parent_id });
      }
    },
  },
];

// Twelve requests, each for the page of another post.
async function openPages(db) {
  for (const slug of Array.from({ length: 12 }, (_, i) => `post-${i * 9 % 37 + 1}`)) {
    const post = await db.findOneBy('Post', { slug });
    await post.author;
    await db.find('Comment', { where: { post_id: post.id }, relations: { author: true } });
  }
}

// Requests of different users, back to back in one session.  The tokens are
// read in another session: a real server gets them from its clients.
const pooled = [
  {
    name: 'twelve dashboards of different users back to back',
    // plain: 1 × SELECT … FROM "sessions" "Session" ORDER BY "Session_token" ASC LIMIT 12
    //     12 × SELECT … FROM "sessions" "Session" WHERE (("Session"."token" = $1)) LIMIT 1
    //     12 × SELECT … FROM "users" "User" WHERE (("User"."id" = $1)) LIMIT 1
    //     12 × SELECT … FROM "orders" "Order" WHERE (("Order"."user_id" = $1)) ORDER BY "Order"."placed_on" DESC …
    //     12 × SELECT COUNT(1) AS "cnt" FROM "orders" "Order" WHERE (("Order"."user_id" = $1))
    modes: ['autocommit', 'pooled'],
    async plain(db) {
      const other = await openSession();
      const sessions = await other.manager.find('Session', { select: { token: true }, order: { token: 'ASC' }, take: 12 });
      await other.close();
      for (const { token } of sessions) {
        await db.transaction((manager) => dashboard(manager, token));
      }
    },
  },
  {
    name: 'twelve post pages of different posts back to back',
    // plain: 12 × SELECT … FROM "posts" "Post" WHERE (("Post"."slug" = $1)) LIMIT 1
    //     12 × SELECT … FROM "authors" "author" INNER JOIN "posts" "Post" ON … WHERE "Post"."id" IN ($1)
    //     12 × SELECT … FROM "comments" "Comment" LEFT JOIN "authors" "Comment__Comment_author" ON … WHERE …
    modes: ['autocommit', 'pooled'],
    plain: openPages,
  },
  {
    name: 'a list of posts, then twelve post pages back to back',
    // plain: 1 × SELECT … FROM "posts" "Post" ORDER BY "Post_id" ASC LIMIT 60
    //     12 × SELECT … FROM "posts" "Post" WHERE (("Post"."slug" = $1)) LIMIT 1
    //     12 × SELECT … FROM "authors" "author" INNER JOIN "posts" "Post" ON … WHERE "Post"."id" IN ($1)
    //     12 × SELECT … FROM "comments" "Comment" LEFT JOIN "authors" "Comment__Comment_author" ON … WHERE …
    modes: ['autocommit', 'pooled'],
    async plain(db) {
      await db.find('Post', { select: { id: true, title: true }, order: byId, take: 60 });
      await openPages(db);
    },
  },
  {
    name: 'nine searches for posts with author back to back',
    // plain: 9 × SELECT … FROM "posts" "Post" WHERE (("Post"."slug" LIKE $1)) ORDER BY "Post"."id" ASC LIMIT 4
    //     9 × SELECT … FROM "authors" "Author" INNER JOIN "posts" "Post" ON … WHERE "Post"."id" IN ($1, …)
    modes: ['autocommit', 'pooled'],
    async plain(db) {
      for (let digit = 1; digit < 10; digit += 1) {
        await db.find('Post', {
          where: { slug: Like(`post-${digit}%`) },
          relations: { author: true },
          relationLoadStrategy: 'query',
          order: byId,
          take: 4,
        });
      }
    },
  },
];

if (require.main === module) {
  main(typeorm === 'typeorm' ? 'typeorm 1' : 'typeorm 0.3',
    [...associations, ...deep, ...keys, ...loops, ...quiet, ...pooled, ...require('./kinds')], openSession);
}
