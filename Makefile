# twindock. `make help` lists the targets; the knobs are below.
#
# Everything that is made goes to build/ (or build-address-undefined/ and the like, see SANITIZE), nothing beside the
# sources. Objects follow src/: src/dock/card.c becomes build/obj/src/dock/card.o.

VERSION := 0.1.0

# ---- Knobs ----------------------------------------------------------------------------------------------------------

CC = gcc
CFLAGS = -O2 -g
LDFLAGS =
SANITIZE =#   address,undefined or thread
WERROR =#     1: warnings are errors
V =#          1: show every command

prefix = /usr/local
sbindir = $(prefix)/sbin
datadir = $(prefix)/share
mandir = $(datadir)/man
completionsdir = $(datadir)/bash-completion/completions
docdir = $(datadir)/doc/twindock
sysconfdir = /etc
localstatedir = /var
udevrulesdir ?= /usr/lib/udev/rules.d
systemdunitdir ?= /usr/lib/systemd/system
DESTDIR =
INSTALL = install

comma := ,
BUILD ?= build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))

# ---- Flags ----------------------------------------------------------------------------------------------------------

warnings := -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wundef \
            -Wvla -Wpointer-arith $(if $(WERROR),-Werror)
sanitizers := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
hardening := -fstack-protector-strong -fPIE $(if $(SANITIZE),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
libraries := libudev blkid sqlite3 libcrypto jansson inih

# Asked once, and only when something is compiled: on a bare machine pkg-config comes with `make check`.
# Foreign headers are not held to our warnings, hence -isystem.
pkg_cflags = $(eval pkg_cflags := $$(patsubst -I%,-isystem %,$$(shell pkg-config --cflags $(libraries))))$(pkg_cflags)
# librsync has no .pc file on Debian.
pkg_libs = $(eval pkg_libs := $$(shell pkg-config --libs $(libraries)) -lrsync)$(pkg_libs)

cppflags := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DTD_VERSION=\"$(VERSION)\" -Iinclude
compile = $(CC) -std=c17 $(cppflags) $(CFLAGS) $(hardening) $(sanitizers) $(warnings) $(pkg_cflags) -pthread -MMD -MP
link = $(CC) $(CFLAGS) $(sanitizers) -pie -pthread -Wl,-z,relro,-z,now $(LDFLAGS)

# ---- What is made of what -------------------------------------------------------------------------------------------

sources := $(sort $(wildcard src/*/*.c))
main := src/cli/main.c
sql := $(sort $(wildcard sql/*.sql sql/*/*.sql))
unit_sources := $(sort $(wildcard tests/unit/test_*.c))
support_sources := $(sort $(wildcard tests/support/*.c))
integration := $(sort $(wildcard tests/integration/*.sh))
scripts := $(integration) $(wildcard tests/support/* .ci/run)

# What a rule shows: its kind and its target; with V=1 the command itself, with -s nothing.
silent := $(findstring s,$(firstword -$(MAKEFLAGS)))
say = $(if $(V),,@$(if $(silent),,printf '  %-4s %s\n' $(1) $@ &&))

object = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
sql_object := $(BUILD)/gen/twindock_sql.o
library := $(BUILD)/libtwindock.a
library_objects := $(call object,$(filter-out $(main),$(sources))) $(if $(sql),$(sql_object))
unit_programs := $(unit_sources:tests/unit/%.c=$(BUILD)/tests/%)
program := $(BUILD)/twindock
manual := $(patsubst man/%.in,$(BUILD)/man/%,$(wildcard man/*.in))
completion := $(BUILD)/completion/twindock

.PHONY: all objects fuzz fuzzers check check-threads check-vm run-checks demo bench lint format install install-program uninstall \
        check-install deb check-package clean help FORCE
.DELETE_ON_ERROR:
.SUFFIXES:

all: $(program) $(manual) $(completion) ## Build build/twindock, its manual pages and its completion

$(program): $(call object,$(main)) $(library)
	$(call say,LD) $(link) -o $@ $^ $(pkg_libs)

$(library): $(library_objects) $(BUILD)/objects.list
	@rm -f $@
	$(call say,AR) $(AR) rcs $@ $(library_objects)

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC) $(compile) $(if $(filter tests/%,$<),-Itests/support) -c -o $@ $<

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(call object,$(support_sources)) $(library)
	@mkdir -p $(@D)
	$(call say,LD) $(link) -o $@ $^ $(pkg_libs) -lcmocka

# The manual and the completion, with the program's own tables in them.
$(BUILD)/man/tables: $(BUILD)/obj/man/tables.o $(library)
	@mkdir -p $(@D)
	$(call say,LD) $(link) -o $@ $^ $(pkg_libs)

$(manual) $(completion): $(BUILD)/%: %.in $(BUILD)/man/tables
	@mkdir -p $(@D)
	$(call say,DOC) $(BUILD)/man/tables < $< > $@

# SQL as C strings, in the order of their names.
$(BUILD)/gen/twindock_sql.c: $(sql) tests/support/embed-sql $(BUILD)/sql.list
	@mkdir -p $(@D)
	$(call say,SQL) tests/support/embed-sql $(sql) > $@

$(sql_object): $(BUILD)/gen/twindock_sql.c $(BUILD)/flags
	$(call say,CC) $(compile) -c -o $@ $<

# Files that change only when their content does: what depends on them is made anew when a flag, the set of sources or
# the set of SQL files changed.
remember = mkdir -p $(@D); echo '$(subst ','\'',$(1))' > $@.now; cmp -s $@.now $@ && rm $@.now || mv $@.now $@
$(BUILD)/flags: FORCE
	@$(call remember,$(compile) $(link))
$(BUILD)/objects.list: FORCE
	@$(call remember,$(library_objects))
$(BUILD)/sql.list: FORCE
	@$(call remember,$(sql))
FORCE:

objects: $(call object,$(sources) man/tables.c $(unit_sources) $(support_sources)) $(if $(sql),$(sql_object))

.SECONDARY:
-include $(patsubst %.c,$(BUILD)/obj/%.d,$(sources) man/tables.c $(unit_sources) $(support_sources)) $(sql_object:.o=.d)

# ---- Tests ----------------------------------------------------------------------------------------------------------

ONLY =#       run these tests alone, by their names: ONLY='test_plan 22-kill'
SKIP =#       tests to leave out
named = $(1:%=$(BUILD)/tests/%) $(1:%=tests/integration/%.sh) $(1:%=tests/support/%)
chosen = $(filter-out $(call named,$(SKIP)),$(if $(ONLY),$(filter $(call named,$(ONLY)),$(every_test)),$(every_test)))
every_test := $(unit_programs) $(integration) tests/support/check-install
check: ## Install what is missing (as root), build and run all tests; SANITIZE=address,undefined for the careful way
	@tests/support/deps build test
	@$(MAKE) --no-print-directory all $(filter $(BUILD)/%,$(chosen))
	@BUILD='$(abspath $(BUILD))' SANITIZE='$(SANITIZE)' tests/support/run-tests $(chosen)

check-threads: ## What runs in threads, under ThreadSanitizer
	@$(MAKE) --no-print-directory SANITIZE=thread ONLY='test_target test_target_failure test_reader test_copy test_compare \
	    test_walk test_progress 10-first-backup 20-changes 34-heal-accept' check

check-vm: ## Install it in a Debian under QEMU and plug disks into its docks (as root; the machine is kept in /var/cache)
	@tests/support/deps build test package vm
	@$(MAKE) --no-print-directory all deb
	@BUILD='$(abspath $(BUILD))' tests/vm/suite.py

# Each parser of bytes that somebody else has written, with libFuzzer. What is found goes to build-fuzz/; tests/fuzz/corpus
# is kept small, and test_corpus replays it at every check.
FUZZ = ata vpd80 vpd83 serial wwid passed_on card ext4 config escape delta
FUZZ_RUNS = 20000
fuzz: ## Fuzz the parsers of foreign bytes for a moment; FUZZ_RUNS=10000000 FUZZ='ata card' for long
	@tests/support/deps build lint && tests/support/deps fuzz
	@$(MAKE) --no-print-directory BUILD=build-fuzz CC=clang SANITIZE=address,undefined \
	    CFLAGS='-O1 -g -fsanitize=fuzzer-no-link' fuzzers
	@set -e; for t in $(FUZZ); do mkdir -p build-fuzz/found/$$t; printf '%s: ' $$t; \
	    build-fuzz/fuzz/$$t -runs=$(FUZZ_RUNS) -timeout=10 -verbosity=0 -print_final_stats=1 -max_len=4096 \
	    -artifact_prefix=build-fuzz/found/$$t- build-fuzz/found/$$t tests/fuzz/corpus/$$t 2>build-fuzz/log || \
	    { cat build-fuzz/log; exit 1; }; sed -n 's/^stat::number_of_executed_units: *//p' build-fuzz/log; done

fuzzers: $(FUZZ:%=$(BUILD)/fuzz/%)

$(BUILD)/fuzz/%: tests/fuzz/fuzz.c $(call object,tests/support/fuzz_targets.c) $(library)
	@mkdir -p $(@D)
	$(call say,FUZZ) $(compile) -Itests/support -DFUZZ_TARGET=fuzz_$* -fsanitize=fuzzer -pie -o $@ $^ $(pkg_libs)

demo: ## See it at work on two disk images: backup, a flipped bit, swapped disks
	@tests/support/deps build test
	@$(MAKE) --no-print-directory all
	@BUILD='$(abspath $(BUILD))' TWINDOCK='$(abspath $(program))' tests/support/demo

bench: ## Measure against rsync in ratios; ROWS=aged,unchanged SCALE=0.1 for a part, see tests/bench/README.md
	@tests/support/deps build test
	@$(MAKE) --no-print-directory all
	@TWINDOCK='$(abspath $(program))' ROWS='$(ROWS)' SCALE='$(SCALE)' PYTHONDONTWRITEBYTECODE=1 tests/bench/bench

lint: ## Layers, lengths, warnings as errors with gcc and clang, formatting, static analysis
	@tests/support/deps build test lint
	@MAKE='$(MAKE)' tests/support/lint

format: ## Let clang-format set all C files
	clang-format -i $(wildcard src/*/*.[ch] man/*.c include/twindock/*/*.h tests/*/*.[ch])

# ---- Installation ---------------------------------------------------------------------------------------------------

rules := $(wildcard udev/*.rules)
units := $(wildcard udev/*.service udev/*.timer)
example := doc/twindock.conf.example
etc := $(DESTDIR)$(sysconfdir)/twindock
state := $(DESTDIR)$(localstatedir)/lib/twindock
doc := $(DESTDIR)$(docdir)
man8 := $(DESTDIR)$(mandir)/man8
man5 := $(DESTDIR)$(mandir)/man5

# The binary's place is known only now; and what the units share stands in one file.
place = sed -e '/^@shared@$$/{r udev/shared' -e 'd}' -e 's|@sbindir@|$(sbindir)|g' $(1) > $(2) && chmod 644 $(2)

install: install-program ## Install below $(DESTDIR)$(prefix), with udev rule, units, cron entry and a first configuration
	$(INSTALL) -d '$(etc)' '$(doc)'
	$(INSTALL) -d -m 700 '$(state)'
	$(INSTALL) -m 644 $(example) README.md LICENSE '$(doc)'
	test -e '$(etc)/twindock.conf' || $(INSTALL) -m 644 $(example) '$(etc)/twindock.conf'

# What a package holds; the rest is the package's own way to do.
install-program: all
	$(INSTALL) -d '$(DESTDIR)$(sbindir)' '$(DESTDIR)$(udevrulesdir)' '$(DESTDIR)$(systemdunitdir)' \
	    '$(DESTDIR)$(sysconfdir)/cron.d' '$(man8)' '$(man5)' '$(DESTDIR)$(completionsdir)'
	$(INSTALL) -m 755 $(program) '$(DESTDIR)$(sbindir)/twindock'
	set -e; for f in $(rules); do $(call place,$$f,"$(DESTDIR)$(udevrulesdir)/$${f##*/}"); done
	set -e; for f in $(units); do $(call place,$$f,"$(DESTDIR)$(systemdunitdir)/$${f##*/}"); done
	$(call place,cron/twindock,'$(DESTDIR)$(sysconfdir)/cron.d/twindock')
	$(INSTALL) -m 644 $(filter %.8,$(manual)) '$(man8)'
	$(INSTALL) -m 644 $(filter %.5,$(manual)) '$(man5)'
	$(INSTALL) -m 644 $(completion) '$(DESTDIR)$(completionsdir)/twindock'

uninstall: ## Take away what install put there; a configuration that was edited and the ledger stay
	rm -f '$(DESTDIR)$(sbindir)/twindock' '$(DESTDIR)$(sysconfdir)/cron.d/twindock'
	rm -f $(foreach f,$(rules),'$(DESTDIR)$(udevrulesdir)/$(notdir $f)')
	rm -f $(foreach f,$(units),'$(DESTDIR)$(systemdunitdir)/$(notdir $f)')
	rm -f $(foreach f,$(filter %.8,$(manual)),'$(man8)/$(notdir $f)') $(foreach f,$(filter %.5,$(manual)),'$(man5)/$(notdir $f)')
	rm -f '$(DESTDIR)$(completionsdir)/twindock'
	! cmp -s $(example) '$(etc)/twindock.conf' || rm -f '$(etc)/twindock.conf'
	rm -f '$(doc)/$(notdir $(example))' '$(doc)/README.md' '$(doc)/LICENSE'
	-@rmdir '$(doc)' '$(etc)' '$(state)' 2>/dev/null || true

deb: ## Build a Debian package into build/: build/twindock_*.deb
	@tests/support/deps build package
	@BUILD='$(abspath $(BUILD))' CC='$(CC)' VERSION='$(VERSION)' debian/build

check-install: all ## Install into a directory of its own, look at it, uninstall, assert that nothing is left
	@BUILD='$(abspath $(BUILD))' MAKE='$(MAKE)' tests/support/check-install

check-package: ## Build the package, install, remove and purge it behind an overlay, look at all of it (as root)
	@tests/support/deps build package
	@BUILD='$(abspath $(BUILD))' MAKE='$(MAKE)' CC='$(CC)' tests/support/check-package

# ---- House ----------------------------------------------------------------------------------------------------------

clean: ## Remove what was built, all variants
	rm -rf build build-*

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile
