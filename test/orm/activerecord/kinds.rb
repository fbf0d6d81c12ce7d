# More screens on ActiveRecord: writes in loops, walks, functions, and what
# resembles them.  Each save!, create!, update! and destroy! is a transaction of
# its own (BEGIN … COMMIT), or part of the one around it; update_columns and
# delete are not.

ARTICLES = 'FROM "articles" ORDER BY'
EMAILS = (1..12).map { |i| "new#{i}@example.org" }.freeze
KNOWN = (1..12).map { |i| "known#{i}@example.org" }.freeze

def write(repeated, parent = :any)
  find(repeated, parent, 12, kind: 'n_plus_one_write')
end

def articles
  Article.order(:id)
end

# --- writes ---------------------------------------------------------------

# 12 × UPDATE "articles" SET "views" = $1 WHERE "articles"."id" = $2
screen('lazy articles each update!', write('UPDATE "articles" SET "views"', ARTICLES)) do
  articles.each { |article| article.update!(views: article.views + 1) }
end
screen('lazy articles each update_columns, without a transaction of their own',
       write('UPDATE "articles" SET "views"', ARTICLES)) do
  articles.each { |article| article.update_columns(views: article.views + 1) }
end
screen('lazy articles each increment!', write('UPDATE "articles" SET "views"', ARTICLES)) do
  articles.each { |article| article.increment!(:views) }
end
screen('eager (update_all) articles') { Article.update_all('views = views + 1') }

# INSERT INTO "articles" … VALUES (1, …), (2, …), … ON CONFLICT ("id") DO UPDATE SET …
screen('eager (upsert_all) articles') do
  Article.upsert_all(articles.map { |article| article.attributes.merge('views' => article.views + 1) })
end

# 12 × INSERT INTO "notes" ("article_id", "body") VALUES ($1, $2) RETURNING "id"
screen('lazy notes each create!', write('INSERT INTO "notes"')) do
  article = Article.find(3)
  12.times { |i| Note.create!(article: article, body: "Note #{i}") }
end
screen('lazy note create! for each article', write('INSERT INTO "notes"')) do
  articles.each { |article| article.notes.create!(body: "About #{article.title}") }
end
screen('lazy notes each create! in one transaction in between', write('INSERT INTO "notes"')) do
  Record.transaction { 12.times { |i| Note.create!(article_id: 3, body: "Note #{i}") } }
end
screen('eager (insert_all) notes') do
  Note.insert_all!(Array.new(12) { |i| { article_id: 3, body: "Note #{i}" } })
end
screen('eager (insert_all) notes in batches of three') do
  Array.new(36) { |i| { article_id: 3, body: "Note #{i}" } }.each_slice(3) { |notes| Note.insert_all!(notes) }
end

# 12 × INSERT INTO "notes", 12 × UPDATE "articles" SET "notes_count" = COALESCE("notes_count", $1) + $2 …
# of one article: the same row again and again, which goes away with the INSERTs
screen('lazy notes each create! with a counter cache', write('INSERT INTO "notes"')) do
  article = Article.find(3)
  12.times { |i| CountedNote.create!(article: article, body: "Note #{i}") }
end
screen('lazy note create! for each article with a counter cache', write('INSERT INTO "notes"'),
       write('UPDATE "articles" SET "notes_count"', ARTICLES)) do
  articles.each { |article| CountedNote.create!(article: article, body: 'Note') }
end

# 12 × DELETE FROM "articles" WHERE "articles"."id" = $1
screen('lazy articles each destroy!', write('DELETE FROM "articles"', ARTICLES)) { articles.each(&:destroy!) }
screen('lazy articles each delete', write('DELETE FROM "articles"', ARTICLES)) { articles.each(&:delete) }
screen('eager (delete_all) articles') { Article.delete_all }

# 12 × SELECT 1 AS one FROM "subscribers" WHERE "subscribers"."email" = $1 LIMIT $2, 12 × INSERT
screen('lazy subscribers each create! with a uniqueness validation', write('INSERT INTO "subscribers"')) do
  EMAILS.each { |email| Subscriber.create!(email: email) }
end
screen('eager (insert_all) subscribers') { Subscriber.insert_all(EMAILS.map { |email| { email: email } }) }

# 12 × SELECT … WHERE "subscribers"."email" = $1 LIMIT $2, 12 × the validation, 12 × INSERT
screen('lazy subscribers by find_or_create_by!, all new', write('INSERT INTO "subscribers"')) do
  EMAILS.each { |email| Subscriber.find_or_create_by!(email: email) }
end
screen('lazy subscribers by find_or_create_by!, all known', find('FROM "subscribers" WHERE ', nil, 12),
       modes: %w[transaction]) do
  KNOWN.each { |email| Subscriber.find_or_create_by!(email: email) }
end
# In autocommit, unproven: the values are from outside, each statement is alone
screen('plain subscribers by find_or_create_by!, all known', modes: %w[autocommit pooled]) do
  KNOWN.each { |email| Subscriber.find_or_create_by!(email: email) }
end
screen('plain one subscriber with a uniqueness validation') { Subscriber.create!(email: 'one@example.org') }

screen('plain one article with its notes written') do
  Record.transaction do
    article = Article.create!(title: 'New')
    article.notes.create!(body: 'One')
    article.notes.create!(body: 'Two')
    article.update!(notes_count: 2)
    Subscriber.find_by(email: KNOWN[3]).update!(visits: 5)
    article.reload
  end
end

# Requests of different users on one connection, at any time
screen('plain twelve articles edited by different users', modes: %w[autocommit pooled]) do
  Record.connection.execute("SET pg_vitals.n_plus_one_max_gap = '250ms'")
  KNOWN.each_with_index do |email, i|
    sleep((i * 7 % 5 * 9 + 3) / 1000.0)
    subscriber = Subscriber.find_by(email: email)
    Record.transaction do
      article = Article.lock.find(i * 5 % 12 + 1)
      article.update!(title: "Edited by #{subscriber.email}")
      subscriber.update!(visits: subscriber.visits + 1)
      article.notes.create!(body: 'Edited')
    end
  end
  Record.connection.execute('RESET pg_vitals.n_plus_one_max_gap')
end

# --- walks ----------------------------------------------------------------

# 12 × … FROM "folders" WHERE "folders"."id" = $1 LIMIT $2
screen('lazy way from a folder up to its root',
       find('FROM "folders" WHERE "folders"."id" = ', nil, 12, kind: 'recursive_walk')) do
  folder = Folder.find(12)
  folder = folder.parent while folder
end

# 12 × … FROM "folders" WHERE "folders"."parent_id" = $1 ORDER BY … LIMIT $2
screen('lazy way from a folder down to the last',
       find('FROM "folders" WHERE "folders"."parent_id" = ', nil, 12, kind: 'recursive_walk')) do
  folder = Folder.find_by(name: 'Folder 1')
  folder = folder.children.first while folder
end
screen('eager (recursive CTE) way from a folder up to its root') do
  Folder.find_by_sql(<<~SQL)
    WITH RECURSIVE up AS (
      SELECT * FROM folders WHERE id = 12
      UNION ALL SELECT f.* FROM up JOIN folders f ON f.id = up.parent_id)
    SELECT * FROM up
  SQL
end
screen('eager (includes) three folders up') do
  Folder.includes(parent: { parent: :parent }).find(12).parent.parent.parent.name
end

# --- memoisable -----------------------------------------------------------

# 8 × … FROM "settings" WHERE "settings"."key" = $1 LIMIT $2
screen('lazy currency loaded again for each line',
       find('FROM "settings" WHERE "settings"."key" = ', nil, 8, kind: 'duplicate')) do
  8.times { Setting.find('ui.currency') }
end
screen('lazy posts with comments, the locale loaded for each',
       find('FROM "settings" WHERE "settings"."key" = ', nil, 8, kind: 'duplicate'),
       find('FROM "comments" WHERE "comments"."post_id" = ', POSTS, 8, 'comments\.post_id → posts\.id')) do
  posts.limit(8).each do |post|
    Setting.find('ui.locale')
    post.comments.to_a
  end
end

# Rails' query cache answers the repeats
screen('eager (query cache) currency loaded again for each line') do
  Record.connection.cache { 8.times { Setting.find('ui.currency') } }
end

# --- inside the server ----------------------------------------------------

screen('lazy posts with a function that reads comments',
       find('FROM comments c WHERE c.post_id = post', 'comment_total\(', 20, kind: 'function_per_row', inside: true)) do
  posts.select('posts.id, comment_total(posts.id) AS total').to_a
end
screen('lazy function that reads the comments of post after post',
       find('FROM comments c WHERE c.post_id = post.id', :any, 30, kind: 'spi_loop', inside: true)) do
  Record.connection.select_value('SELECT longest_comment()')
end
screen('lazy marks inserted at once, counted by a row trigger',
       find('UPDATE articles SET views', 'INSERT INTO "marks"', 12, kind: 'function_per_row', inside: true)) do
  Mark.insert_all!((1..12).map { |i| { article_id: i } })
end

# --- reading in portions --------------------------------------------------

# 12 × SELECT "posts"."id" … WHERE "posts"."id" > $1 ORDER BY … LIMIT $2, 12 × … IN ($1, …, $10)
screen('plain all posts by in_batches') do
  Post.in_batches(of: 10) { |batch| batch.pluck(:title) }
end
screen('plain all posts by in_batches with their comments') do
  Post.in_batches(of: 10) { |batch| batch.preload(comments: :author).to_a }
end
screen('plain all posts by find_in_batches, each batch updated at once') do
  Article.find_in_batches(batch_size: 2) do |batch|
    Article.where(id: batch.map(&:id)).update_all('views = views + 1')
  end
end
