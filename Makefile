# hotpath: `make demo` shows it, `make test` proves it; both set up what they need by themselves.
#
#   make            build everything (packages must be there: deploy/setup.sh build)
#   make demo       set up, build, show a live ranking change, leave nothing running
#   make test       set up, build, unit tests, integration tests; ends with "N passed, N failed"
#   make unit       the unit tests alone          make integration   the integration tests alone
#   make asan       unit and integration tests under address and undefined-behaviour sanitizers
#   make tsan       unit tests under the thread sanitizer
#   make model      random schedules of the processes on a simulated machine for SECONDS (60), from SEED (the time)
#   make fuzz       every decoder of outside bytes, FUZZ_SECONDS each (default 20)
#   make faults     all tests of faults, those of seeds that once failed too (10 minutes)
#   make faults-kills, faults-everything, faults-freeze, faults-redis   the long runs of docs/faults.md
#   make chaos      random faults for SECONDS (60), from SEED (the time), then Redis against the oracle
#   make soak-scaling   1 -> 4 -> 2 scorers at full speed, 20 times; make soak-restart   5 rolling restarts
#   make control-soak  the control plane's tests in their long forms (20 minutes), also under sanitizers
#   make bench      CPU microseconds an event, per process, beside the floor (docs/performance.md)
#   make bench-all  the same over all scenarios of tests/bench/bench_scenarios.py (25 minutes)
#   make bench-check    fails if an event got 15 % more expensive than make bench-record wrote down (3 minutes)
#   make bench-freshness, bench-memory, bench-churn, bench-scorers   what their names say
#   make bench-docs     the plot, and the tables of docs/performance.md and docs/scaling.md, of what these found
#   make bench-peers   the same events through Flink and others beside it (docs/peers.md)
#   make clean      remove what was built (what deploy/setup.sh fetched stays)
#
# V=1 shows whole commands. SANITIZE=address,undefined, SANITIZE=thread and CRASH_POINTS=1 (for fault tests:
# common/crash_point.h) build into a folder of their own.

SHELL := /bin/bash
Q := $(if $(V),,@)
SAY := $(if $(V),true,printf '  %s %s\n')
CC ?= gcc
SANITIZE ?=
CRASH_POINTS ?=
comma := ,
FLAVOUR := $(subst $(comma),-,$(if $(CRASH_POINTS),crash$(if $(SANITIZE),-))$(SANITIZE))
BUILD := build$(if $(FLAVOUR),/$(FLAVOUR))
STAGES := ingestor scorer profiler metrics configd sink
FOLDERS := common $(STAGES) ctl
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1.0)

DEPS_LIB := $(firstword $(wildcard $(CURDIR)/build/deps/usr/lib/*/libyyjson.so))
ifneq ($(DEPS_LIB),)
YYJSON_CFLAGS := -isystem $(CURDIR)/build/deps/usr/include
YYJSON_LIBS := -L$(dir $(DEPS_LIB)) -Wl,-rpath,$(patsubst %/,%,$(dir $(DEPS_LIB))) -lyyjson
else
YYJSON_LIBS := -lyyjson
endif
PKGS := libczmq libcurl libmicrohttpd libzmq rdkafka hiredis libmongoc-1.0 lmdb libxxhash libsodium
PKG_CFLAGS := $(subst -I,-isystem ,$(shell pkg-config --cflags $(PKGS) 2>/dev/null))
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wformat=2 -Wundef -Wvla -Werror
CFLAGS_ALL := -std=gnu11 -O2 -g -fno-omit-frame-pointer -fno-math-errno -ffp-contract=off $(WARNINGS) \
	-D_GNU_SOURCE -DHOTPATH_VERSION='"$(VERSION)"' -I. $(PKG_CFLAGS) $(YYJSON_CFLAGS) \
	$(if $(CRASH_POINTS),-DHOTPATH_CRASH_POINTS) \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all) $(CFLAGS)
LDFLAGS_ALL := -Wl,--as-needed $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)
# libmsgpackc (Debian 12) or libmsgpack-c (Debian 13)
MSGPACK_LIB := $(if $(shell pkg-config --exists msgpack-c 2>/dev/null && echo y),-lmsgpack-c,-lmsgpackc)
LIBS_ALL := $(PKG_LIBS) $(YYJSON_LIBS) $(MSGPACK_LIB) -lm -lpthread

objs = $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out %/main.c,$(wildcard $(1)/*.c)))
LIBS_OURS := $(foreach f,tests/proxy ctl $(STAGES) common,$(BUILD)/lib/lib$(subst /,-,$(f)).a)
PROXY := $(BUILD)/tests/frame-proxy
BINS := $(foreach s,$(STAGES),$(BUILD)/bin/hotpath-$(s)) $(BUILD)/bin/hotpath
UNITS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
# A binary linked from fewer objects than before must be seen to change: sources come and go.
.PHONY: all
all: $(BINS)

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(SAY) CC $<
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

# The admin API serves its own description.
$(BUILD)/obj/configd/openapi_text.o: docs/openapi.json

define library
$(BUILD)/lib/lib$(subst /,-,$(1)).a: $(call objs,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach f,$(FOLDERS) tests/proxy,$(eval $(call library,$(f))))

define stage_binary
$(BUILD)/bin/hotpath-$(1): $(BUILD)/obj/$(1)/main.o $(BUILD)/lib/lib$(1).a $(BUILD)/lib/libcommon.a
	@mkdir -p $$(@D)
	@$(SAY) LD $$@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $$^ $(LIBS_ALL) -o $$@
endef
$(foreach s,$(STAGES),$(eval $(call stage_binary,$(s))))

$(BUILD)/bin/hotpath: $(BUILD)/obj/ctl/main.o $(BUILD)/lib/libctl.a $(BUILD)/lib/libcommon.a
	@mkdir -p $(@D)
	@$(SAY) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $^ $(LIBS_ALL) -o $@

# Stands between the processes in fault tests.
$(PROXY): $(BUILD)/obj/tests/proxy/main.o $(BUILD)/lib/libtests-proxy.a $(BUILD)/lib/libcommon.a
	@mkdir -p $(@D)
	@$(SAY) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $^ $(LIBS_ALL) -o $@

$(BUILD)/unit/%: tests/unit/%.c $(LIBS_OURS)
	@mkdir -p $(@D)
	@$(SAY) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -MF $@.d $(LDFLAGS_ALL) $< -Wl,--start-group $(LIBS_OURS) -Wl,--end-group $(LIBS_ALL) -lcmocka -o $@

# The model check: the processes' own code, linked with a simulated machine (tests/model) instead of the
# libraries of the outside. A library's function that it does not have yet is an error of the linker.
MODEL := $(BUILD)/model/model
MODEL_OBJS := $(patsubst tests/model/%.c,$(BUILD)/model/obj/%.o,$(wildcard tests/model/*.c))
MODEL_WRAPS := $(addprefix -Wl$(comma)--wrap=,usleep open open64 close flock fstat fstat64 stat stat64 \
	unlink mkdir futimens fsync opendir readdir readdir64 closedir pread pread64 pwrite pwrite64 result_chain_take)
MODEL_LIBS := $(YYJSON_LIBS) $(MSGPACK_LIB) $(shell pkg-config --libs libxxhash libmicrohttpd) -lm -lpthread

$(BUILD)/model/obj/%.o: tests/model/%.c Makefile
	@mkdir -p $(@D)
	@$(SAY) CC $<
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(MODEL): $(MODEL_OBJS) $(foreach f,ingestor sink common,$(BUILD)/lib/lib$(f).a)
	@$(SAY) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $(MODEL_WRAPS) $(MODEL_OBJS) -Wl,--start-group \
	    $(filter %.a,$^) -Wl,--end-group $(MODEL_LIBS) -o $@

-include $(wildcard $(BUILD)/obj/*/*.d $(BUILD)/obj/*/*/*.d $(BUILD)/unit/*.d $(BUILD)/model/obj/*.d)

# --- Tests ---------------------------------------------------------------------------------------

# setup.sh may bring what this file looks for, so the targets that call it build in a second make.
JOBS ?= $(shell nproc)
AGAIN = +@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))
# The second: the same with crash points, beside the proxy.
TEST_BIN = HOTPATH_TEST_BIN=$(CURDIR)/$(BUILD)/bin \
	HOTPATH_TEST_CRASH_BIN=$(CURDIR)/build/crash$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))/bin

.PHONY: units unit integration test tests-here asan tsan
units: $(UNITS)

unit: $(UNITS)
	@tests/unit/run.sh $(sort $(UNITS))

integration: all crash
	@$(TEST_BIN) tests/run.sh --pytest integration

test:
	@deploy/setup.sh test
	$(AGAIN) all units $(MODEL)
	@$(MAKE) --no-print-directory -s tests-here

tests-here: crash
	@$(TEST_BIN) tests/run.sh --units $(sort $(UNITS)) --model $(MODEL) --pytest support integration

# What the fault tests run (docs/faults.md).
.PHONY: proxy crash
proxy: $(PROXY)
crash:
	$(AGAIN) CRASH_POINTS=1 all proxy

# Each in a build folder of its own.
asan: export ASAN_OPTIONS := detect_leaks=1:$(ASAN_OPTIONS)
asan: export UBSAN_OPTIONS := print_stacktrace=1:$(UBSAN_OPTIONS)
asan:
	@deploy/setup.sh test
	$(AGAIN) SANITIZE=address,undefined all units build/address-undefined/model/model
	@$(MAKE) --no-print-directory -s SANITIZE=address,undefined tests-here

tsan:
	@deploy/setup.sh test
	$(AGAIN) SANITIZE=thread unit

# SECONDS is set in every bash.
SECONDS_OR_60 = $(if $(filter command line environment override,$(origin SECONDS)),$(SECONDS),60)
FAULTS = $(TEST_BIN) PYTHONPATH=tests build/venv/bin/python tests/integration/faults
# Long forms: `test` has short ones, with seeds that stay the same.
.PHONY: model
model: $(MODEL)
	@$(MODEL) --seconds $(SECONDS_OR_60) $(if $(SEED),--seed $(SEED))

.PHONY: faults faults-kills faults-everything faults-freeze faults-redis chaos
faults: all crash
	@$(TEST_BIN) PYTEST_ADDOPTS='-m "long or not long"' tests/run.sh --pytest integration/faults

faults-kills faults-everything faults-freeze faults-redis: faults-%: all crash
	@$(FAULTS)/runs.py $* $(if $(SEED),--seed $(SEED)) $(FAULTS_OPTIONS)

chaos: all crash
	@$(FAULTS)/chaos.py --seconds $(SECONDS_OR_60) $(if $(SEED),--seed $(SEED))

# Long forms of tests of `make test`: the same promise, more often and over more events.
SOAK = @$(TEST_BIN) $(1) build/venv/bin/python -m pytest -c tests/pytest.ini --rootdir tests -q -rA -s $(2)
.PHONY: soak-scaling soak-restart
soak-scaling: all
	$(call SOAK,HOTPATH_TEST_SCALE_ROUNDS=20 HOTPATH_TEST_SCALE_EVENTS=1000000,tests/integration/test_scaling.py)

soak-restart: all
	$(call SOAK,HOTPATH_TEST_ROLLING_RESTARTS=5,tests/integration/test_operate.py -k rolling)

# The long forms of tests/integration/test_admin*.py and test_control*.py; SANITIZE=address,undefined
# runs them so.
CONTROL_VENV := build/venv-control
.PHONY: control-soak
control-soak: all $(CONTROL_VENV)/made
	@cd tests && $(TEST_BIN) HOTPATH_SCHEMATHESIS=$(CURDIR)/$(CONTROL_VENV)/bin/schemathesis \
	    HOTPATH_CONTROL_CHANGES=50 HOTPATH_CONTROL_PREVIEWS=100 HOTPATH_CONTROL_RACES=1000 \
	    HOTPATH_CONTROL_AWAY_SECONDS=60 HOTPATH_CONTROL_SCENARIOS=1000 HOTPATH_CONTROL_SECONDS=60 \
	    HOTPATH_CONTROL_FUZZ=20000 ../build/venv/bin/python -m pytest -q -ra -s --timeout=1800 \
	    -m 'long or not long' \
	    integration/test_admin.py integration/test_admin_access.py integration/test_admin_fuzz.py \
	    $(sort $(patsubst tests/%,%,$(wildcard tests/integration/test_control_*.py)))

$(CONTROL_VENV)/made: tests/support/requirements-control.txt
	@python3 -m venv $(CONTROL_VENV) && $(CONTROL_VENV)/bin/python -m pip install -q \
	    --disable-pip-version-check -r $< && touch $@

# --- Fuzzing -------------------------------------------------------------------------------------

FUZZ_SECONDS ?= 20
FUZZ_CLANG ?= clang
FUZZ_CFLAGS := $(filter-out -W%,$(CFLAGS_ALL)) -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_OBJECTS := $(patsubst build/obj/%,build/fuzz/obj/%,$(foreach f,$(FOLDERS),$(patsubst \
	$(BUILD)/%,build/%,$(call objs,$(f)))))

build/fuzz/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(SAY) CC $@
	$(Q)$(FUZZ_CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

build/fuzz/obj/configd/openapi_text.o: docs/openapi.json

build/fuzz/libhotpath.a: $(FUZZ_OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

build/fuzz/fuzz_%: tests/fuzz/fuzz_%.c build/fuzz/libhotpath.a
	@$(SAY) LD $@
	$(Q)$(FUZZ_CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d $< build/fuzz/libhotpath.a $(LDFLAGS) $(LIBS_ALL) -o $@

-include $(wildcard build/fuzz/obj/*/*.d build/fuzz/*.d)

.PHONY: fuzz fuzzers
fuzzers: $(FUZZERS)

# New finds go to build/fuzz/corpus, what breaks to build/fuzz/NAME-crash-…: the corpus stays as it is.
fuzz:
	@deploy/setup.sh fuzz
	$(AGAIN) fuzzers
	@tests/fuzz/run.sh $(FUZZ_SECONDS) $(sort $(FUZZERS))

# --- To see it, to measure it --------------------------------------------------------------------

.PHONY: demo clean
demo:
	@deploy/setup.sh build
	$(AGAIN) all
	@deploy/demo.sh

# tests/bench/run.sh sets up and builds; what BENCH_… names say is there and in each program.
.PHONY: bench bench-all bench-check bench-record bench-scorers bench-freshness bench-memory bench-churn
.PHONY: bench-plot bench-docs
bench:
	@tests/bench/run.sh

bench-all:
	@BENCH_SCENARIOS=all BENCH_RESULT=build/bench/result-all.json tests/bench/run.sh

bench-check bench-scorers bench-freshness bench-memory:
	@tests/bench/run.sh --with $(if $(filter bench-scorers,$@),scorers,$(subst -,_,$@))

bench-record:
	@tests/bench/run.sh --with bench_check --record

bench-churn:
	@tests/bench/run.sh --with bench_memory --churn

bench-plot:
	@build/venv/bin/python tests/bench/bench_plot.py build/bench/result-all.json docs/performance.svg

bench-docs: bench-plot
	@PYTHONPATH=tests build/venv/bin/python tests/bench/bench_docs.py

bench-peers:
	@tests/bench/peers/run.sh

clean:
	rm -rf $(addprefix build/,bin lib obj unit model tests fuzz bench address-undefined thread crash \
	    crash-address-undefined pytest_cache)
