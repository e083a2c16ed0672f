# influence: social influence in SQL.  "make help" lists what else is here.
EXTENSION = influence
EXTVERSION = $(shell sed -n "s/^default_version *= *'\([^']*\)'.*/\1/p" influence.control)

MODULE_big = influence
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
DATA = $(wildcard sql/*--*--*.sql)
DATA_built = sql/$(EXTENSION)--$(EXTVERSION).sql
EXTRA_CLEAN = tmp_check output_iso results regression.diffs regression.out
PG_CFLAGS = -std=gnu99 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers -Wno-declaration-after-statement $(INFLUENCE_CFLAGS)

REGRESS = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --load-extension=$(EXTENSION)
ISOLATION = $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=. --load-extension=$(EXTENSION)
TAP_TESTS = 1
PROVE_TESTS = test/t/*.pl

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifneq ($(wildcard $(PGXS)),)
include $(PGXS)
else
# Without PostgreSQL's development files only the targets at the end can work.
all install installdirs uninstall installcheck clean:
	@echo "$(PG_CONFIG): no development files of PostgreSQL found; install them (postgresql-server-dev-NN) or say PG_CONFIG=/path/to/pg_config" >&2; exit 1
endif

# PGXS follows no headers.
$(OBJS) $(OBJS:.o=.bc): $(wildcard src/*.h)

$(DATA_built): sql/influence.sql influence.control
	cp $< $@

# These make a private PostgreSQL in a temporary directory, install what is
# missing from Debian, and leave nothing running.  What is given on make's
# command line (DATA=, REGRESS=, SCALE=, ...) reaches the scripts as environment.
help:
	@echo 'make, make install, make installcheck   build, install, test with PG_CONFIG'
	@echo 'make demo                               scores for a made-up community'
	@echo 'make demo DATA=file.csv                 scores for your own interactions'
	@echo 'make test                               all tests, then again with sanitizers'
	@echo 'make test REGRESS="a b"                 only these regression tests'
	@echo 'make bench                              speed; SCALE=18 RUNS=5 ONLY="refresh lookup"'

demo:
	@demo/run $(if $(filter command,$(origin DATA)),"$$DATA")

test:
	@test/run

bench:
	@test/bench/run

.PHONY: help demo test bench
