# libpq's variables (PGHOST, PGDATABASE, ...) name the database.

require "active_record"
require "minitest/autorun"

ActiveRecord::Base.establish_connection(adapter: "postgresql", database: ENV.fetch("PGDATABASE", "blog"))

class Author < ActiveRecord::Base; end

class Post < ActiveRecord::Base
  belongs_to :author
end

module NoNPlusOne
  # What the block does must not repeat statements where one would do.
  def assert_no_n_plus_one(allow: [])
    connection = ActiveRecord::Base.connection
    mark = connection.select_value("SELECT vitals.mark()")
    result = yield
    allow = connection.quote(PG::TextEncoder::Array.new.encode(allow))
    connection.execute("SELECT vitals.assert_no_n_plus_one(#{mark}, #{allow})")
    result
  rescue ActiveRecord::StatementInvalid => e
    raise unless e.cause.result.error_field(PG::PG_DIAG_SQLSTATE) == "VT001"
    flunk e.message
  end
end

class PostsTest < Minitest::Test
  include NoNPlusOne

  def bylines(posts)
    posts.map { |post| "#{post.title} by #{post.author.name}" }
  end

  def test_eager
    assert_no_n_plus_one { assert_equal 20, bylines(Post.includes(:author)).size }
  end

  def test_lazy
    assert_no_n_plus_one { assert_equal 20, bylines(Post.all).size }
  end

  def test_allowed
    assert_no_n_plus_one(allow: ["posts.author_id → authors.id"]) do
      assert_equal 20, bylines(Post.all).size
    end
  end
end
