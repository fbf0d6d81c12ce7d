# The domain of ../domain.sql as ActiveRecord classes.

require 'active_record'

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

class Folder < Record
  belongs_to :parent, class_name: 'Folder'
  has_many :children, class_name: 'Folder', foreign_key: :parent_id
end

class Article < Record
  has_many :notes
end

class Note < Record
  belongs_to :article
end

# The same table, whose number of rows the article keeps.
class CountedNote < Record
  self.table_name = 'notes'
  belongs_to :article, counter_cache: :notes_count
end

class Subscriber < Record
  validates :email, uniqueness: true
end

class Mark < Record; end

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
