# Runs the screens on ActiveRecord and compares what they leave in
# vitals.n_plus_one with what each of them declares; the rules are in ../check.sql,
# the modes and what is left out are those of ../vitals.py.

require 'json'
require 'pg'

$stdout.sync = true

module Vitals
  MODES = %w[autocommit transaction pooled].freeze
  KINDS = ENV.fetch('ORM_KINDS').split(',').freeze
  WATCHED = /\A(SELECT|WITH|INSERT|UPDATE|DELETE)\b/
  Screen = Struct.new(:title, :finds, :modes, :kinds, :run)

  @screens = []

  class << self
    attr_reader :screens

    def main
      print_sql = ARGV.delete('--sql')
      pattern = Regexp.new(ARGV.first || '')
      @admin = PG.connect(dbname: 'orm')
      chosen = screens.select { |screen| screen.title.match?(pattern) }
      print_sql ? chosen.each { |screen| print_statements(screen) } : check_all(with_kinds(chosen))
    end

    private

    # The screens whose kinds of findings are there; says what others wait for.
    def with_kinds(chosen)
      waiting = chosen.reject { |screen| (kinds_of(screen) - KINDS).empty? }
      unless waiting.empty?
        missing = waiting.flat_map { |screen| kinds_of(screen) } - KINDS
        puts "# activerecord: #{waiting.size} screens left out, of kinds #{missing.uniq.sort.join(', ')}"
      end
      chosen - waiting
    end

    def kinds_of(screen)
      screen.kinds + screen.finds.map { |wanted| wanted[:kind] }
    end

    def check_all(chosen)
      MODES.each do |mode|
        connect if mode == 'pooled'
        chosen.each do |screen|
          report("#{screen.title} (#{mode})", check(screen, mode)) if screen.modes.include?(mode)
        end
      end
    end

    def connect
      Record.establish_connection(SERVER)
      ObjectSpace.each_object(Class).select { |model| model < Record }.each(&:columns_hash)
    end

    # Runs the screen in a session of its own, or in the one that is shared.
    def run_screen(screen, mode, &note)
      connect unless mode == 'pooled'
      ActiveSupport::Notifications.subscribed(note, 'sql.active_record') do
        mode == 'transaction' ? Record.transaction(&screen.run) : screen.run.call
      end
    ensure
      Record.remove_connection unless mode == 'pooled'
    end

    def statements_of(screen, mode)
      sent = []
      run_screen(screen, mode) do |*, payload|
        sent << payload[:sql] if payload[:name] != 'SCHEMA' && payload[:sql].match?(WATCHED)
      end
      sent
    end

    def check(screen, mode)
      @admin.exec('SELECT restore(), vitals.reset()')
      wrong_statements(screen.finds, statements_of(screen, mode)) + differences(screen.finds, mode)
    rescue ActiveRecord::ActiveRecordError, NoMethodError => e
      ["screen failed: #{e.message}"]
    end

    # A lazy screen must send each repeated statement as often as it says.
    def wrong_statements(finds, sent)
      finds.reject { |wanted| wanted[:inside] }.filter_map do |wanted|
        times = sent.grep(Regexp.new(wanted[:repeated])).size
        "screen sends #{times}, not #{wanted[:repeats]}, of #{wanted[:repeated]}" if times != wanted[:repeats]
      end
    end

    def differences(finds, mode)
      lines = @admin.exec_params('SELECT d FROM checks.differences($1) d', [finds.to_json]).column_values(0)
      return lines if mode != 'pooled' || finds.any? { |wanted| wanted[:kind] == 'duplicate' }

      lines.grep_v(/\Agot \d+ × duplicate /)
    end

    def report(title, wrong)
      puts "#{wrong.empty? ? 'ok' : 'not ok'} - #{title}"
      wrong.each { |line| puts "#   #{line.split.join(' ')}" }
    end

    def print_statements(screen)
      @admin.exec('SELECT restore()')
      puts "\n#{screen.title}"
      statements_of(screen, screen.modes.first).tally.each { |sql, times| puts "  #{times} × #{sql}" }
    end
  end
end

# kinds: what the detector must know besides the kinds of the findings.
def screen(title, *finds, modes: Vitals::MODES, kinds: [], &run)
  Vitals.screens << Vitals::Screen.new("activerecord #{title}", finds, modes, kinds, run)
end

# parent :any is not asked for; inside: the server sends the statement itself (a
# function, a trigger).
def find(repeated, parent, repeats, link = nil, kind: 'n_plus_one', inside: false)
  wanted = { kind: kind, repeated: repeated, parent: parent, repeats: repeats, link: link, inside: inside }
  wanted.delete(:parent) if parent == :any
  wanted
end
