# The screens on ActiveRecord.  All statements are prepared under a name (a1, a2,
# …) at their first use, LIMIT is a parameter, too.  Beside each screen: what it
# sends.

require 'active_record'
require 'json'
require 'logger'
require 'pg'

$stdout.sync = true

SERVER = { adapter: 'postgresql', database: 'orm', username: 'orm', pool: 1,
           host: ENV['PGHOST'], port: ENV['PGPORT'] }.freeze

class Record < ActiveRecord::Base
  self.abstract_class = true
end

class Country < Record
  self.primary_key = 'code'
end

class Author < Record
  belongs_to :country, foreign_key: :country_code
  has_one :profile
  has_many :posts
end

class Profile < Record; end

class Tag < Record; end

class Post < Record
  belongs_to :author
  has_many :comments
  has_many :attachments, as: :owner
  has_and_belongs_to_many :tags, join_table: :post_tags
end

class Comment < Record
  belongs_to :post
  belongs_to :author
end

class Attachment < Record
  belongs_to :owner, polymorphic: true

  def self.polymorphic_class_for(name)
    super(name.capitalize)
  end
end

class User < Record; end

class Order < Record
  belongs_to :user
  has_many :items, class_name: 'OrderItem'
end

class OrderItem < Record
  belongs_to :product
end

class Product < Record; end

class Setting < Record
  self.primary_key = 'key'
end

class MenuEntry < Record; end

SCREENS = []

def screen(title, *finds, &run)
  SCREENS << [title, finds, run]
end

def find(repeated, parent, repeats, link = nil, kind: 'n_plus_one')
  { kind: kind, repeated: repeated, parent: parent, repeats: repeats, link: link }
end

POSTS = 'FROM "posts" ORDER BY'
AUTHORS = find('FROM "authors" WHERE "authors"."id" = ', POSTS, 20, 'posts\.author_id → authors\.id')
COMMENTS = find('FROM "comments" WHERE "comments"."post_id" = ', POSTS, 20, 'comments\.post_id → posts\.id')

def posts
  Post.order(:id).limit(20)
end

# 20 × … FROM "authors" WHERE "authors"."id" = $1 LIMIT $2
screen('lazy post list with author', AUTHORS) { posts.each { |post| post.author.name } }
screen('lazy post list with author by find', AUTHORS) { posts.each { |post| Author.find(post.author_id) } }

# … FROM "authors" WHERE "authors"."id" IN ($1, $2, …)
screen('eager (includes) post list with author') { posts.includes(:author).each { |post| post.author.name } }

# … FROM "posts" LEFT OUTER JOIN "authors" ON …
screen('eager (eager_load) post list with author') { posts.eager_load(:author).each { |post| post.author.name } }

# 20 × … FROM "comments" WHERE "comments"."post_id" = $1
screen('lazy post list with comments', COMMENTS) { posts.each { |post| post.comments.to_a } }
screen('eager (preload) post list with comments') { posts.preload(:comments).each { |post| post.comments.to_a } }

# 20 × SELECT COUNT(*) FROM "comments" WHERE "comments"."post_id" = $1
screen('lazy post list with comment counts', COMMENTS) { posts.each { |post| post.comments.count } }
screen('eager (group) post list with comment counts') { Comment.where(post_id: posts.map(&:id)).group(:post_id).count }

# 20 × SELECT 1 AS one FROM "comments" WHERE "comments"."post_id" = $1 LIMIT $2
screen('lazy post list, whether there are comments', COMMENTS) { posts.each { |post| post.comments.exists? } }

# 20 × … FROM "tags" INNER JOIN "post_tags" ON … WHERE "post_tags"."post_id" = $1
screen('lazy post list with tags',
       find('FROM "tags" INNER JOIN "post_tags" ON .* WHERE "post_tags"."post_id" = ', POSTS, 20,
            'post_tags\.post_id → posts\.id')) { posts.each { |post| post.tags.to_a } }
screen('eager (preload) post list with tags') { posts.preload(:tags).each { |post| post.tags.to_a } }

# 13 × … FROM "profiles" WHERE "profiles"."author_id" = $1 LIMIT $2
screen('lazy authors with profile, mostly missing',
       find('FROM "profiles" WHERE "profiles"."author_id" = ', 'FROM "authors"', 13,
            'profiles\.author_id → authors\.id')) { Author.order(:id).each(&:profile) }

# 13 × … FROM "countries" WHERE "countries"."code" = $1 LIMIT $2
screen('lazy authors with country by varchar key',
       find('FROM "countries" WHERE "countries"."code" = ', 'FROM "authors"', 13,
            'authors\.country_code → countries\.code')) { Author.order(:id).each { |author| author.country.name } }
screen('eager (includes) authors with country by varchar key') do
  Author.order(:id).includes(:country).each { |author| author.country.name }
end

# 6 × … FROM "order_items" WHERE "order_items"."order_id" = $1
# 18 × … FROM "products" WHERE "products"."id" = $1 LIMIT $2
screen('lazy orders with items and products',
       find('FROM "order_items" WHERE "order_items"."order_id" = ', 'FROM "orders"', 6,
            'order_items\.order_id → orders\.id'),
       find('FROM "products" WHERE "products"."id" = ', 'FROM "order_items"', 18,
            'order_items\.product_id → products\.id')) do
  Order.order(:placed_on, :id).limit(6).each { |order| order.items.each { |item| item.product.name } }
end
screen('eager (includes) orders with items and products') do
  Order.order(:placed_on, :id).limit(6).includes(items: :product).each { |order| order.items.each { |item| item.product.name } }
end

# 7 × … FROM "posts" WHERE "posts"."id" = $1 LIMIT $2, 7 × the same FROM "authors"
screen('lazy attachments with their owner, of two types',
       find('FROM "posts" WHERE "posts"."id" = ', 'FROM "attachments"', 7),
       find('FROM "authors" WHERE "authors"."id" = ', 'FROM "attachments"', 7)) do
  Attachment.order(:id).each(&:owner)
end
screen('eager (preload) attachments with their owner, of two types') { Attachment.order(:id).preload(:owner).each(&:owner) }

# 8 × … FROM "settings" WHERE "settings"."key" = $1 LIMIT $2
screen('lazy menu with settings by text key',
       find('FROM "settings" WHERE "settings"."key" = ', 'FROM "menu_entries"', 8)) do
  MenuEntry.order(:id).each { |entry| Setting.find_by(key: entry.setting_key) }
end

# 9 × … FROM "authors" WHERE "authors"."id" = $1 LIMIT $2
screen('lazy post page with the author of each comment',
       find('FROM "authors" WHERE "authors"."id" = ', 'FROM "comments" WHERE', 9,
            'comments\.author_id → authors\.id')) do
  Post.find(7).comments.each { |comment| comment.author.name }
end

# 8 × … FROM "users" WHERE "users"."email" = $1 LIMIT $2
screen('lazy current user loaded again for each part of the page',
       find('FROM "users" WHERE "users"."email" = ', nil, 8, kind: 'duplicate')) do
  8.times { User.find_by(email: 'user3@example.org') }
end

screen('plain post page') do
  post = Post.find(7)
  post.author.name
  post.comments.includes(:author).to_a
  post.tags.to_a
end

# 13 × … FROM "posts" WHERE "posts"."id" > $1 ORDER BY "posts"."id" ASC LIMIT $2
screen('plain all posts in batches with their authors') do
  Post.includes(:author).find_each(batch_size: 10) { |post| post.author.name }
end

screen('plain twelve post pages of different posts back to back') do
  12.times do |request|
    post = Post.find_by(slug: "post-#{request * 9 % 37 + 1}")
    post.author.name
    post.comments.includes(:author).to_a
  end
end

# Opens a session and runs the screen in it; the statements it sent.
def run_screen(run, in_transaction)
  Record.establish_connection(SERVER)
  ObjectSpace.each_object(Class).select { |model| model < Record }.each { |model| model.columns_hash }
  sent = []
  note = lambda do |*, payload|
    sent << payload[:sql] unless payload[:name] == 'SCHEMA' || !payload[:sql].start_with?('SELECT')
  end
  ActiveSupport::Notifications.subscribed(note, 'sql.active_record') do
    in_transaction ? Record.transaction(&run) : run.call
  end
  sent
ensure
  Record.remove_connection
end

# A lazy screen must send each repeated statement as often as it says.
def wrong_statements(finds, sent)
  finds.filter_map do |wanted|
    times = sent.grep(Regexp.new(wanted[:repeated])).size
    "screen sends #{times}, not #{wanted[:repeats]}, of #{wanted[:repeated]}" if times != wanted[:repeats]
  end
end

def check(admin, run, finds, in_transaction)
  admin.exec('SELECT vitals.reset()')
  wrong = wrong_statements(finds, run_screen(run, in_transaction))
  wrong + admin.exec_params('SELECT d FROM checks.differences($1) d', [finds.to_json]).column_values(0)
rescue ActiveRecord::ActiveRecordError, NoMethodError => e
  ["screen failed: #{e.message}"]
end

def report(title, wrong)
  puts "#{wrong.empty? ? 'ok' : 'not ok'} - #{title}"
  wrong.each { |line| puts "#   #{line.split.join(' ')}" }
end

def print_statements(title, run)
  puts "\n#{title}"
  run_screen(run, false).tally.each { |sql, times| puts "  #{times} × #{sql}" }
end

print_sql = ARGV.delete('--sql')
pattern = Regexp.new(ARGV.first || '')
chosen = SCREENS.map { |title, finds, run| ["activerecord #{title}", finds, run] }
                .select { |title, *| title.match?(pattern) }
if print_sql
  chosen.each { |title, _, run| print_statements(title, run) }
else
  admin = PG.connect(dbname: 'orm')
  %w[autocommit transaction].product(chosen) do |mode, (title, finds, run)|
    report("#{title} (#{mode})", check(admin, run, finds, mode == 'transaction'))
  end
end
