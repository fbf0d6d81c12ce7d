# The screens on ActiveRecord.  All statements are prepared under a name (a1, a2,
# …) at their first use, LIMIT is a parameter, too.  Beside each screen: what it
# sends.

require_relative 'models'
require_relative 'vitals'

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

# 20 × … WHERE "comments"."post_id" = $1 ORDER BY "comments"."id" ASC LIMIT $2
screen('lazy post list with first comment', COMMENTS) { posts.each { |post| post.comments.first } }
screen('lazy post list with the sum of lengths',
       find('SELECT SUM.* FROM "comments" WHERE', POSTS, 20, 'comments\.post_id → posts\.id')) do
  posts.each { |post| post.comments.sum('length(body)') }
end

# 1 × … FROM "posts" ORDER BY … LIMIT $1, 12 × … WHERE "posts"."id" > $1 ORDER BY … LIMIT $2,
# and 120 × the comments: two parents
screen('lazy all posts in batches of ten with comments',
       find('FROM "comments" WHERE "comments"."post_id" = ', 'FROM "posts" ORDER BY', 10,
            'comments\.post_id → posts\.id', inside: true),
       find('FROM "comments" WHERE "comments"."post_id" = ', 'FROM "posts" WHERE "posts"."id" > ', 110,
            'comments\.post_id → posts\.id', inside: true), kinds: ['batch_iteration']) do
  Post.find_each(batch_size: 10) { |post| post.comments.to_a }
end

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

require_relative 'kinds'

Vitals.main
