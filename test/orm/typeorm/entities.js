'use strict';

// The domain of ../domain.sql as TypeORM entities, and sessions on it: each has
// a pool of one connection, so that all statements meet in one backend.  Every
// relation is lazy (a promise that loads when it is awaited), unless find() was
// asked to bring it along.
//
// TYPEORM names the package: typeorm (1.x) or typeorm03 (0.3.x).

require('reflect-metadata');

const { DataSource, EntitySchema } = require(process.env.TYPEORM || 'typeorm');

const serial = { type: 'int', primary: true, generated: 'increment' };
const key = (type) => ({ type, primary: true });
const text = { type: 'text' };
const int = { type: 'int' };
const uuid = { type: 'uuid' };

const belongsTo = (target, column, inverseSide) => ({
  type: 'many-to-one', target, inverseSide, joinColumn: { name: column }, lazy: true,
});
const hasMany = (target, inverseSide) => ({ type: 'one-to-many', target, inverseSide, lazy: true });

const entity = (name, tableName, columns, relations = {}) => {
  const target = { [name]: class {} }[name];
  return new EntitySchema({ name, target, tableName, columns, relations });
};

const entities = [
  entity('Country', 'countries', { code: { type: 'varchar', length: 2, primary: true }, name: text }),
  entity('Author', 'authors', { id: serial, name: text, email: text, country_code: { type: 'varchar', length: 2 } }, {
    country: belongsTo('Country', 'country_code'),
    profile: { type: 'one-to-one', target: 'Profile', inverseSide: 'author', lazy: true },
    posts: hasMany('Post', 'author'),
  }),
  entity('Profile', 'profiles', { id: serial, author_id: int, bio: text }, {
    author: { type: 'one-to-one', target: 'Author', inverseSide: 'profile', joinColumn: { name: 'author_id' }, lazy: true },
  }),
  entity('Category', 'categories', { id: serial, parent_id: { type: 'int', nullable: true }, name: text }, {
    parent: belongsTo('Category', 'parent_id', 'children'),
    children: hasMany('Category', 'parent'),
  }),
  entity('Post', 'posts', { id: serial, author_id: int, category_id: int, slug: text, title: text, body: text }, {
    author: belongsTo('Author', 'author_id', 'posts'),
    category: belongsTo('Category', 'category_id'),
    comments: hasMany('Comment', 'post'),
    tags: {
      type: 'many-to-many',
      target: 'Tag',
      lazy: true,
      joinTable: { name: 'post_tags', joinColumn: { name: 'post_id' }, inverseJoinColumn: { name: 'tag_id' } },
    },
  }),
  entity('Comment', 'comments', {
    id: { type: 'bigint', primary: true, generated: 'increment' }, post_id: int, author_id: int, body: text,
  }, {
    post: belongsTo('Post', 'post_id', 'comments'),
    author: belongsTo('Author', 'author_id'),
  }),
  entity('Tag', 'tags', { id: serial, name: text }),
  entity('Attachment', 'attachments', {
    id: serial, owner_type: { type: 'varchar', length: 20 }, owner_id: int, filename: text,
  }),
  entity('User', 'users', { id: key('uuid'), email: text, password_hash: text, name: text }, {
    orders: hasMany('Order', 'user'),
  }),
  entity('Session', 'sessions', { token: key('text'), user_id: uuid }, { user: belongsTo('User', 'user_id') }),
  entity('Product', 'products', {
    id: key('uuid'), sku: text, name: text, price: { type: 'numeric', precision: 10, scale: 2 },
  }),
  entity('Order', 'orders', { id: key('uuid'), user_id: uuid, placed_on: { type: 'date' } }, {
    user: belongsTo('User', 'user_id', 'orders'),
    items: hasMany('OrderItem', 'order'),
  }),
  entity('OrderItem', 'order_items', { id: key('uuid'), order_id: uuid, product_id: uuid, quantity: int }, {
    order: belongsTo('Order', 'order_id', 'items'),
    product: belongsTo('Product', 'product_id'),
  }),
  entity('Invoice', 'invoices', { number: { type: 'numeric', precision: 12, primary: true }, order_id: uuid }, {
    payments: hasMany('Payment', 'invoice'),
  }),
  entity('Payment', 'payments', {
    id: serial, invoice_number: { type: 'numeric', precision: 12 }, amount: { type: 'numeric', precision: 10, scale: 2 },
  }, {
    invoice: belongsTo('Invoice', 'invoice_number', 'payments'),
  }),
  entity('Setting', 'settings', { key: key('text'), value: text }),
  entity('Folder', 'folders', { id: serial, parent_id: { type: 'int', nullable: true }, name: text }, {
    parent: belongsTo('Folder', 'parent_id'),
  }),
  entity('Article', 'articles', {
    id: serial, title: text, views: { type: 'int', default: 0 }, notes_count: { type: 'int', default: 0 },
  }),
  entity('Note', 'notes', { id: { type: 'bigint', primary: true, generated: 'increment' }, article_id: int, body: text }),
  entity('Subscriber', 'subscribers', { id: serial, email: { type: 'text', unique: true }, visits: { type: 'int', default: 0 } }),
  entity('Mark', 'marks', { id: serial, article_id: int }),
  entity('MenuEntry', 'menu_entries', { id: serial, label: text, setting_key: text }),
];

async function openSession(settings = {}) {
  const source = new DataSource({
    type: 'postgres',
    host: process.env.PGHOST,
    port: Number(process.env.PGPORT),
    database: 'orm',
    username: 'orm',
    entities,
    poolSize: 1,
    installExtensions: false,
    extra: { application_name: 'typeorm', idleTimeoutMillis: 60000, ...settings },
  });
  await source.initialize();
  return {
    manager: source.manager,
    run: (screen, inTransaction) => (inTransaction
      ? source.transaction((manager) => screen(manager))
      : screen(source.manager)),
    close: () => source.destroy(),
  };
}

module.exports = { openSession };
