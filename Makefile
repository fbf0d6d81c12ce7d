# pg_vitals: performance monitoring for PostgreSQL.
#
#   make && make install     build and install for PG_CONFIG (default: the pg_config in PATH)
#   make demo | test | ...   see "Our own targets" below; they install what is missing first

# The layers, lowest first.  A unit may include only headers of units before it;
# test/lint reads this list.  A unit without a .c is a header alone.
UNITS = \
	compat \
	base/server \
	base/limits \
	base/settings \
	base/histogram \
	base/shape \
	base/distinct \
	base/sqltext \
	base/sqledit \
	base/planjson \
	base/tags \
	base/conditions \
	base/worker \
	store/sane \
	store/texts \
	store/store \
	store/statfile \
	store/persist \
	collect/values \
	collect/variables \
	collect/identity \
	collect/now \
	collect/waits \
	collect/trail \
	collect/planid \
	collect/plantext \
	collect/tagging \
	collect/execution \
	collect/buckets \
	collect/pending \
	collect/statements \
	collect/newcomers \
	collect/resources \
	collect/plans \
	collect/routes \
	collect/transactions \
	collect/errors \
	collect/deadlocks \
	collect/links \
	collect/comparisons \
	collect/batch \
	collect/batchwrite \
	collect/orm \
	collect/suggest \
	collect/producers \
	collect/recent \
	collect/findings \
	collect/since \
	collect/tell \
	collect/brake \
	collect/nested \
	collect/chance \
	collect/signs \
	collect/across \
	collect/across_judge \
	collect/duplicates \
	collect/routine \
	collect/loops \
	collect/walks \
	collect/nplusone \
	collect/suspects \
	collect/nodes \
	collect/slow \
	collect/frame \
	collect/overhead \
	watch/look \
	watch/circle \
	watch/history \
	watch/waited \
	watch/sampler \
	watch/memory \
	watch/contexts \
	watch/differences \
	watch/windows \
	surface/rows \
	surface/scan \
	surface/statements \
	surface/plantree \
	surface/plans \
	surface/findings \
	surface/routes \
	surface/errors \
	surface/resources \
	surface/waits \
	surface/transactions \
	surface/history \
	surface/slow \
	surface/misestimates \
	surface/blocking \
	surface/deadlocks \
	surface/ci \
	surface/info \
	surface/health \
	surface/memory \
	surface/windows \
	surface/sandbox \
	surface/queryshape \
	surface/draft \
	surface/rewrite_read \
	surface/rewrite_join \
	surface/rewrite_write \
	surface/rewrite \
	hooks

# The parts of the install script, src/sql/PART.sql, in the order they need each other.
SQL_PARTS = \
	statements \
	windows \
	plans \
	n_plus_one \
	routes \
	transactions \
	errors \
	resources \
	waits \
	statement_time \
	history \
	slow \
	blocking \
	transactions_now \
	deadlocks \
	ci \
	rewrite \
	info \
	health \
	memory

EXTENSION = pg_vitals
EXTVERSION = 1.0
MODULE_big = pg_vitals
PGFILEDESC = "pg_vitals - performance monitoring"

SOURCES = $(wildcard $(UNITS:%=src/%.c)) src/pg_vitals.c
OBJS = $(SOURCES:.c=.o)
DATA_built = pg_vitals--$(EXTVERSION).sql
REGRESS = $(sort $(patsubst sql/%.sql,%,$(wildcard sql/*.sql)))
EXTRA_CLEAN = $(OBJS:.o=.d) build/lint

PG_CPPFLAGS = -I$(srcdir)/src -DPGV_VERSION='"$(EXTVERSION)"'
# -MMD notes the headers each object was made from (PGXS does not).  Before version 14
# gcc only warned of a hook with the signature of another PostgreSQL version.  A call of the
# server by way of the linker's stubs leads through one line of the cache more.
PG_CFLAGS = -MMD -MP -fno-plt -Werror=incompatible-pointer-types -fvisibility=hidden

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
SERVER_HEADER := $(shell $(PG_CONFIG) --includedir-server 2>/dev/null)/postgres.h

.DEFAULT_GOAL := all

# Our own targets.  They must work before PostgreSQL is there, so nothing in them needs PGXS.
.PHONY: setup demo test lint fuzz indent bench stall stress check-core sanitize valgrind
setup:      ; @test/setup
demo:       ; @test/demo
test:       ; @test/run
lint:       ; @test/lint
fuzz:       ; @test/fuzz/run
indent:     ; @test/indent
bench:      ; @test/bench/run
stall:      ; @test/stall
stress:     ; @test/stress/run
check-core: ; @test/regress-core
sanitize:   ; @test/sanitize
valgrind:   ; @test/valgrind

print-%: ; @echo $($*)

ifeq ($(wildcard $(PGXS)),)
MISSING = $(PG_CONFIG) --pgxs
else ifeq ($(wildcard $(SERVER_HEADER)),)
MISSING = $(SERVER_HEADER)
endif

ifdef MISSING

.PHONY: all install installcheck clean
all install installcheck:
	@echo "The PostgreSQL server headers are missing ($(MISSING))." >&2
	@echo "'make setup' installs them; or name another installation: make PG_CONFIG=..." >&2
	@exit 1
clean:
	rm -rf $(OBJS) $(DATA_built) $(MODULE_big).so $(EXTRA_CLEAN)

else

# Bitcode for JIT inlining needs the clang this PostgreSQL was built with.
CLANG_OF_PG := $(shell sed -n 's/^CLANG *= *//p' $(dir $(PGXS))../Makefile.global)
ifeq ($(shell command -v $(CLANG_OF_PG) 2>/dev/null),)
override with_llvm := no
endif

# The tree walkers in the headers of 15 are not valid C23, the default from gcc 15 on.
ifneq ($(filter 15.%,$(lastword $(shell $(PG_CONFIG) --version | cut -d' ' -f1-2))),)
PG_CFLAGS += -std=gnu17
endif

include $(PGXS)

# A statement's way leads through many units: optimised as one, it takes 2 to 13 % fewer of
# our instructions (test/bench/instructions).  Of clang it would need a linker that not
# every machine has.
ifneq ($(shell $(CC) --version 2>/dev/null | grep 'Free Software Foundation'),)
ifneq ($(filter -O2 -O3,$(CFLAGS)),)
override CFLAGS += -flto=auto
endif
endif

# What the objects in this tree were made for.  Building for another server, or with
# other flags, changes the file and so remakes them all.
BUILT_FOR = $(shell $(PG_CONFIG) --version --pkglibdir) $(CC) $(CFLAGS) with_llvm=$(with_llvm)
build/built-for: FORCE
	@mkdir -p build
	@echo '$(BUILT_FOR)' | cmp -s - $@ || echo '$(BUILT_FOR)' >$@
.PHONY: FORCE
FORCE:

$(OBJS) $(DATA_built): build/built-for Makefile
# Through the object, bitcode follows its headers too.
$(OBJS:.o=.bc): %.bc: %.o
-include $(OBJS:.o=.d)

# Lines between "-- @if PG >= 17" (or "<") and "-- @endif" are kept for those versions only.
define VERSION_FILTER
/^-- @if /    { if (!/^-- @if PG (>=|<) [0-9]+$$/ || open) fail("bad or nested @if"); \
                open = 1; drop = ($$4 == "<") ? pg >= $$5 + 0 : pg < $$5 + 0; next } \
/^-- @endif$$/ { if (!open) fail("@endif without @if"); open = drop = 0; next } \
!drop         { print } \
END           { if (open) fail("@if without @endif"); exit bad } \
function fail(what) { print FILENAME ":" FNR ": " what >"/dev/stderr"; bad = 1; exit 1 }
endef

$(DATA_built): $(SQL_PARTS:%=src/sql/%.sql)
	@{ printf '%s\n' '\echo Use "CREATE EXTENSION pg_vitals" to load this file. \quit'; \
	   awk -v pg=$(MAJORVERSION) '$(VERSION_FILTER)' $(filter %.sql,$^); } >$@.tmp || { rm -f $@.tmp; exit 1; }
	mv $@.tmp $@

# The sources once more, for test/lint: with more warnings, but not of PostgreSQL's headers.
LINT_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers \
	-Wshadow=compatible-local -Wundef -Wstrict-prototypes -Wold-style-definition -Werror
LINT_CPPFLAGS = $(subst -I$(includedir_server),-isystem $(includedir_server),$(CPPFLAGS))
LINT_OBJS = $(OBJS:src/%.o=build/lint/%.o)
.PHONY: lint-warnings
lint-warnings: $(LINT_OBJS)
$(LINT_OBJS): build/lint/%.o: src/%.c build/built-for
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LINT_CFLAGS) $(CFLAGS_SL) $(LINT_CPPFLAGS) -c $< -o $@
-include $(LINT_OBJS:.o=.d)

endif
