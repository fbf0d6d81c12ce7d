'use strict';

// The domain of ../domain.sql as Sequelize models, and sessions on it: each has
// a pool of one connection, so that all statements meet in one backend.

const { Sequelize, DataTypes } = require('sequelize');

const { INTEGER, BIGINT, TEXT, STRING, UUID, DECIMAL, DATEONLY } = DataTypes;

const key = (type) => ({ type, primaryKey: true });
const serial = { type: INTEGER, primaryKey: true, autoIncrement: true };

function defineModels(sequelize) {
  const define = (name, tableName, columns) =>
    sequelize.define(name, columns, { tableName, timestamps: false });

  const m = {
    Country: define('Country', 'countries', { code: key(STRING(2)), name: TEXT }),
    Author: define('Author', 'authors', { id: serial, name: TEXT, email: TEXT, country_code: STRING(2) }),
    Profile: define('Profile', 'profiles', { id: serial, author_id: INTEGER, bio: TEXT }),
    Category: define('Category', 'categories', { id: serial, parent_id: INTEGER, name: TEXT }),
    Post: define('Post', 'posts', {
      id: serial, author_id: INTEGER, category_id: INTEGER, slug: TEXT, title: TEXT, body: TEXT,
    }),
    Comment: define('Comment', 'comments', {
      id: { type: BIGINT, primaryKey: true, autoIncrement: true }, post_id: INTEGER, author_id: INTEGER, body: TEXT,
    }),
    Tag: define('Tag', 'tags', { id: serial, name: TEXT }),
    PostTag: define('PostTag', 'post_tags', { post_id: key(INTEGER), tag_id: key(INTEGER) }),
    Attachment: define('Attachment', 'attachments', {
      id: serial, owner_type: STRING(20), owner_id: INTEGER, filename: TEXT,
    }),
    User: define('User', 'users', { id: key(UUID), email: TEXT, password_hash: TEXT, name: TEXT }),
    Session: define('Session', 'sessions', { token: key(TEXT), user_id: UUID }),
    Product: define('Product', 'products', { id: key(UUID), sku: TEXT, name: TEXT, price: DECIMAL(10, 2) }),
    Order: define('Order', 'orders', { id: key(UUID), user_id: UUID, placed_on: DATEONLY }),
    OrderItem: define('OrderItem', 'order_items', {
      id: key(UUID), order_id: UUID, product_id: UUID, quantity: INTEGER,
    }),
    Invoice: define('Invoice', 'invoices', { number: key(DECIMAL(12)), order_id: UUID }),
    Payment: define('Payment', 'payments', { id: serial, invoice_number: DECIMAL(12), amount: DECIMAL(10, 2) }),
    Setting: define('Setting', 'settings', { key: key(TEXT), value: TEXT }),
    Folder: define('Folder', 'folders', { id: serial, parent_id: INTEGER, name: TEXT }),
    Article: define('Article', 'articles', { id: serial, title: TEXT, views: INTEGER, notes_count: INTEGER }),
    Note: define('Note', 'notes', {
      id: { type: BIGINT, primaryKey: true, autoIncrement: true }, article_id: INTEGER, body: TEXT,
    }),
    Subscriber: define('Subscriber', 'subscribers', { id: serial, email: { type: TEXT, unique: true }, visits: INTEGER }),
    Mark: define('Mark', 'marks', { id: serial, article_id: INTEGER }),
    MenuEntry: define('MenuEntry', 'menu_entries', { id: serial, label: TEXT, setting_key: TEXT }),
  };

  m.Author.belongsTo(m.Country, { as: 'country', foreignKey: 'country_code' });
  m.Author.hasOne(m.Profile, { as: 'profile', foreignKey: 'author_id' });
  m.Author.hasMany(m.Post, { as: 'posts', foreignKey: 'author_id' });
  m.Category.belongsTo(m.Category, { as: 'parent', foreignKey: 'parent_id' });
  m.Category.hasMany(m.Category, { as: 'children', foreignKey: 'parent_id' });
  m.Post.belongsTo(m.Author, { as: 'author', foreignKey: 'author_id' });
  m.Post.belongsTo(m.Category, { as: 'category', foreignKey: 'category_id' });
  m.Post.hasMany(m.Comment, { as: 'comments', foreignKey: 'post_id' });
  m.Post.belongsToMany(m.Tag, { as: 'tags', through: m.PostTag, foreignKey: 'post_id', otherKey: 'tag_id' });
  m.Post.hasMany(m.Attachment, {
    as: 'attachments', foreignKey: 'owner_id', constraints: false, scope: { owner_type: 'post' },
  });
  m.Folder.belongsTo(m.Folder, { as: 'parent', foreignKey: 'parent_id' });
  m.Article.hasMany(m.Note, { as: 'notes', foreignKey: 'article_id' });
  m.Comment.belongsTo(m.Post, { as: 'post', foreignKey: 'post_id' });
  m.Comment.belongsTo(m.Author, { as: 'author', foreignKey: 'author_id' });
  m.Session.belongsTo(m.User, { as: 'user', foreignKey: 'user_id' });
  m.User.hasMany(m.Order, { as: 'orders', foreignKey: 'user_id' });
  m.Order.belongsTo(m.User, { as: 'user', foreignKey: 'user_id' });
  m.Order.hasMany(m.OrderItem, { as: 'items', foreignKey: 'order_id' });
  m.OrderItem.belongsTo(m.Product, { as: 'product', foreignKey: 'product_id' });
  m.Invoice.hasMany(m.Payment, { as: 'payments', foreignKey: 'invoice_number' });
  return m;
}

async function openSession(settings = {}) {
  const sequelize = new Sequelize({
    dialect: 'postgres',
    host: process.env.PGHOST,
    port: process.env.PGPORT,
    database: 'orm',
    username: 'orm',
    logging: false,
    pool: { max: 1, min: 0, idle: 60000, evict: 60000 },
    dialectOptions: { application_name: 'sequelize', ...settings },
  });
  const models = defineModels(sequelize);
  await sequelize.authenticate();
  return {
    sequelize,
    models,
    run: (screen, inTransaction) => (inTransaction
      ? sequelize.transaction((transaction) => screen({ ...models, sequelize }, { transaction }))
      : screen({ ...models, sequelize }, {})),
    close: () => sequelize.close(),
  };
}

module.exports = { openSession };
