# Osler. `make` builds, `make check` tests, `make demo` trains; each sets up what it needs. `make help` lists the rest.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:

OPT     ?= -O2
SAN     ?=
WERROR  ?= -Werror
PREFIX  ?= /usr/local
VERSION := 0.1.0
SONAME  := libosler.so.0
ifneq ($(filter default undefined,$(origin CC)),)
CC := gcc
endif
is_clang := $(filter clang%,$(notdir $(CC)))
ifneq ($(filter default undefined,$(origin CXX)),)
CXX := $(if $(is_clang),$(subst clang,clang++,$(CC)),g++)
endif
BUILD ?= build$(if $(SAN),-san)$(if $(is_clang),-clang)

# ---- what is here ----------------------------------------------------------------------------------------------------
# An optional library is used where it is found; FEATURE=0 leaves it out.
pkg        = $(shell pkg-config --exists $(1) 2>/dev/null && echo 1)

JPEG   ?= $(call pkg,libjpeg)
PNG    ?= $(call pkg,libpng)
WEBP   ?= $(call pkg,libwebp)
TIFF   ?= $(call pkg,libtiff-4)
ZLIB   ?= $(call pkg,zlib)
ZSTD   ?= $(call pkg,libzstd)
SNAPPY ?= $(call pkg,snappy)
CURL   ?= $(call pkg,libcurl)
GDCM   ?= $(if $(wildcard /usr/include/gdcm-3.0/gdcmReader.h),1)

FEATURES := JPEG PNG WEBP TIFF ZLIB ZSTD SNAPPY CURL GDCM
$(foreach f,$(FEATURES),$(eval $(f) := $($(f)))) # look once, not at every use
on = $(filter 1,$($(1)))
CORE_PKGS := jansson yaml-0.1 libpcre2-8 libutf8proc

FEATURE_DEFS := $(foreach f,$(FEATURES),$(if $(call on,$(f)),-DHAVE_$(f)=1,-DHAVE_$(f)=0))
PKGS := $(CORE_PKGS) $(if $(call on,JPEG),libjpeg) $(if $(call on,PNG),libpng) $(if $(call on,WEBP),libwebp) \
        $(if $(call on,TIFF),libtiff-4) $(if $(call on,ZLIB),zlib) $(if $(call on,ZSTD),libzstd) $(if $(call on,SNAPPY),snappy) \
        $(if $(call on,CURL),libcurl)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
LIBS := $(PKG_LIBS) $(if $(call on,GDCM),-lgdcmMSFF -lgdcmDSED -lgdcmDICT -lgdcmCommon -lstdc++) -lpthread -lm -ldl

# ---- flags -----------------------------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wdouble-promotion $(WERROR)
# gcc's flow warnings raise false alarms in instrumented code.
SAN_WARN := $(if $(SAN),$(if $(is_clang),,-Wno-format-truncation -Wno-maybe-uninitialized -Wno-stringop-overflow))
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all $(SAN_WARN))
DEFS := -D_GNU_SOURCE -DOSLER_VERSION='"$(VERSION)"' $(FEATURE_DEFS)
CFLAGS := -std=c11 $(OPT) -g -fPIC -fno-common -ffp-contract=off $(WARN) $(SANFLAGS) $(DEFS) -Isrc -Iinclude $(PKG_CFLAGS) $(EXTRA_CFLAGS)
# vptr and function checks need type information that GDCM's library does not export.
CXXFLAGS := -std=c++17 $(OPT) -g -fPIC -w $(SANFLAGS) $(if $(and $(SAN),$(is_clang)),-fno-sanitize=vptr -fno-sanitize=function) $(DEFS) -Isrc -isystem /usr/include/gdcm-3.0
LDFLAGS := $(SANFLAGS)

# Vectorised kernels: one source, compiled once per instruction set and number format (src/kernels/cpu/*_tmpl.c).
ISA_avx2   := -O3 -mavx2 -mfma -mf16c -ffp-contract=fast
ISA_avx512 := -O3 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512 -ffp-contract=fast
ISA_avx512bf16 := $(ISA_avx512) -mavx512bf16
ISA_amx        := $(ISA_avx512bf16) -mamx-tile -mamx-bf16 -mamx-int8
VEC := -fno-math-errno -fno-trapping-math -fassociative-math -fno-signed-zeros -freciprocal-math

# ---- sources ---------------------------------------------------------------------------------------------------------
MODULES ?= base kernels kernels/cpu tensor ops weights model text table image data infer reward train synth eval api phantom
TEMPLATES := %_tmpl.c
SRC   := $(foreach m,$(MODULES),$(filter-out $(TEMPLATES),$(wildcard src/$(m)/*.c)))
SRCXX := $(if $(call on,GDCM),$(foreach m,$(MODULES),$(wildcard src/$(m)/*.cc)))
OBJ   := $(SRC:src/%.c=$(BUILD)/%.o) $(SRCXX:src/%.cc=$(BUILD)/%.o)
# template objects: name.format.isa
ifneq ($(filter kernels/cpu,$(MODULES)),)
ARCH := $(shell uname -m)
ifeq ($(ARCH),x86_64)
# template.format.isa
VARIANTS := $(foreach x,loops gemm few few_quant attention,$(foreach isa,avx2 avx512,$(foreach t,f32 bf16,$(x).$(t).$(isa)))) \
            $(foreach x,gemm few few_quant attention_bf16,$(foreach isa,avx512bf16 amx,$(x).bf16.$(isa)))
TMPL_OBJ := $(VARIANTS:%=$(BUILD)/kernels/cpu/%.o)
endif
endif
ifneq ($(filter kernels,$(MODULES)),)
TMPL_OBJ += $(foreach t,f32 bf16,$(BUILD)/kernels/ref.$(t).o)
endif
LIB_OBJ := $(OBJ) $(TMPL_OBJ)
CMD_SRC := $(wildcard src/cmd/*.c)
CMD_OBJ := $(CMD_SRC:src/%.c=$(BUILD)/%.o)

.PHONY: all features help deps check check-all test longest layers format fuzz demo phantom-base slices install clean FORCE
all: features $(BUILD)/osler $(BUILD)/libosler.so

help:
	@echo "make                     the program ($(BUILD)/osler) and the library"
	@echo "make check               installs what is missing, builds, runs every test and check"
	@echo "make demo                teaches a small model that sees to reason, and shows what that brings (demo/clinic/)"
	@echo "make phantom-base        trains that small model again, from random weights (55 minutes, demo/base/)"
	@echo "make slices              an example: a tiny model learns real brain slices (demo/slices/)"
	@echo "make test T=tokenizer    runs the test programs whose path holds the word"
	@echo "make fuzz T=json SECONDS=60    fuzzes one parser (clang)"
	@echo "make format              clang-format over all sources"
	@echo "make bench CONFIG=C.json PEERS='python bench_peers.py'    side by side, into docs/results/peers.csv"
	@echo "make tables              the tables of docs/speed.md from docs/results/*.csv"
	@echo "make profile CASE=lora CONFIG=C.json    where the time of a step goes (perf)"
	@echo "make longest, layers     the longest functions and files; forbidden includes"
	@echo "make deps                installs missing packages (Debian, Ubuntu)"
	@echo "make install PREFIX=/usr/local DESTDIR="
	@echo "make clean"
	@echo
	@echo "CC=clang   SAN=address,undefined   OPT=-O0   BUILD=folder   V=1   WERROR=   and  F=0  to leave out one of"
	@echo "$(FEATURES)"

features:
	@echo "Osler $(VERSION), $(CC)$(if $(SAN), with -fsanitize=$(SAN)), into $(BUILD)/"
	@for p in $(CORE_PKGS); do pkg-config --exists $$p 2>/dev/null || \
	    { echo "error: $$p is missing"; echo "hint: make deps"; exit 1; }; done
	@echo "  with:$(foreach f,$(FEATURES),$(if $(call on,$(f)), $(f)))"
	@$(if $(strip $(missing)),echo "  without:$(foreach f,$(missing), $(f)) (not found or switched off)")
missing = $(foreach f,$(FEATURES),$(if $(call on,$(f)),,$(f)))

# ---- compiling -------------------------------------------------------------------------------------------------------
# V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-4s %s\n' $(1) '$(2)')

# Files that hold what went into a build and change only when it does: other flags, another compiler or a removed source
# file rebuild what they concern.
$(BUILD)/flags: export STAMP := $(shell $(CC) --version 2>/dev/null | head -n 1) $(CFLAGS) $(CXXFLAGS) $(LDFLAGS) $(LIBS) \
                                $(ISA_avx2) $(ISA_amx) $(VEC)
$(BUILD)/objects: export STAMP := $(LIB_OBJ)
$(BUILD)/flags $(BUILD)/objects: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' "$$STAMP" | cmp -s - $@ || printf '%s\n' "$$STAMP" >$@

$(BUILD)/%.o: src/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/%.o: src/%.cc $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CXX,$<)
	$(Q)$(CXX) $(CXXFLAGS) -MMD -MP -c $< -o $@

DTYPE_f32  := -DT_IS_BF16=0
DTYPE_bf16 := -DT_IS_BF16=1
# (format, instruction set, template)
define vec_rule
$(BUILD)/kernels/cpu/$(3).$(1).$(2).o: src/kernels/cpu/$(3)_tmpl.c $(BUILD)/flags
	@mkdir -p $$(@D)
	$$(call say,CC,$$< $(1) $(2))
	$$(Q)$(CC) $(CFLAGS) $(ISA_$(2)) $(VEC) $(DTYPE_$(1)) -DSUFFIX=_$(1)_$(2) -MMD -MP -c $$< -o $$@
endef
$(foreach v,$(VARIANTS),$(eval $(call vec_rule,$(word 2,$(subst ., ,$(v))),$(word 3,$(subst ., ,$(v))),$(word 1,$(subst ., ,$(v))))))
define ref_rule
$(BUILD)/kernels/ref.$(1).o: src/kernels/ref_tmpl.c $(BUILD)/flags
	@mkdir -p $$(@D)
	$$(call say,CC,$$< $(1))
	$$(Q)$(CC) $(CFLAGS) $(DTYPE_$(1)) -DSUFFIX=_$(1) -MMD -MP -c $$< -o $$@
endef
$(foreach t,f32 bf16,$(eval $(call ref_rule,$(t))))

$(BUILD)/libosler.a: $(LIB_OBJ) $(BUILD)/objects
	$(call say,AR,$@)
	@rm -f $@
	$(Q)ar rcs $@ $(LIB_OBJ)
# The shared library shows osler_* and nothing else.
$(BUILD)/libosler.so: $(LIB_OBJ) $(BUILD)/objects
	$(call say,LD,$@)
	@echo '{ global: osler_*; local: *; };' >$(BUILD)/exports
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,--version-script,$(BUILD)/exports $(LDFLAGS) $(LIB_OBJ) $(LIBS) -o $@
$(BUILD)/osler: $(CMD_OBJ) $(BUILD)/libosler.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(CMD_OBJ) $(BUILD)/libosler.a $(LIBS) -o $@

# ---- tests -----------------------------------------------------------------------------------------------------------
# Every tests/<kind>/test_*.c is one cmocka program.  Every tests/fuzz/fuzz_*.c is a libFuzzer target, and with replay.c
# a program that runs it over its corpus.
TEST_SRC := $(wildcard tests/*/test_*.c)
TESTS    := $(TEST_SRC:tests/%.c=$(BUILD)/tests/%)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
REPLAYS  := $(FUZZ_SRC:tests/fuzz/fuzz_%.c=$(BUILD)/tests/fuzz/replay_%)
link_test = $(CC) $(CFLAGS) -Itests -MMD -MP -MT $@ -MF $@.d $(1) $(BUILD)/libosler.a $(LDFLAGS) $(LIBS) -o $@

$(BUILD)/tests/fuzz/replay_%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c $(BUILD)/libosler.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(call link_test,tests/fuzz/fuzz_$*.c tests/fuzz/replay.c)
$(BUILD)/tests/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(BUILD)/libosler.a
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)$(call link_test,-fsanitize=fuzzer $<)
$(BUILD)/tests/%: tests/%.c $(BUILD)/libosler.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(call link_test,$< $(TEST_EXTRA) -lcmocka)
.PRECIOUS: $(BUILD)/tests/%

# As a user would build it: the public header and the shared library, nothing else.
$(BUILD)/examples/%: examples/%.c include/osler.h $(BUILD)/libosler.so
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)ln -sf libosler.so $(BUILD)/$(SONAME)
	$(Q)$(CC) -std=c11 $(WARN) $(SANFLAGS) -Iinclude $< -L$(BUILD) -losler -Wl,-rpath,'$$ORIGIN/..' -o $@
EXAMPLES := $(patsubst examples/%.c,$(BUILD)/examples/%,$(wildcard examples/*.c))

deps:
	@tools/deps.sh

# What is installed decides how to build, so a fresh make looks again after deps.
JOBS ?= $(shell nproc)
check:
	@tools/deps.sh
	@$(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS)) check-all

check-all: all $(TESTS) $(REPLAYS) $(EXAMPLES) $(BUILD)/atlas
	@OSLER=$(BUILD)/osler tools/run_tests.sh $(BUILD)/log $(TESTS) \
	    $(foreach r,$(REPLAYS),-- 'fuzz corpus $(r:$(BUILD)/tests/fuzz/replay_%=%)' \
	        '$(r) tests/fuzz/corpus/$(r:$(BUILD)/tests/fuzz/replay_%=%)') \
	    -- layers tools/layers.sh -- sizes tools/longest.sh -- format tools/check_format.sh \
	    -- symbols 'tools/check_symbols.sh $(BUILD)/libosler.a $(BUILD)/libosler.so' \
	    -- headers 'KERNEL_FLAGS="$(KERNEL_FLAGS)" tools/check_headers.sh $(CC) $(subst ','"'"',$(CFLAGS))'

KERNEL_FLAGS := $(if $(filter x86_64,$(ARCH)),$(ISA_avx512) $(DTYPE_f32) -DSUFFIX=_f32_avx512)

# The brain slices' own program: their data and their score.
$(BUILD)/atlas: recipes/slices/atlas.c $(BUILD)/libosler.a
	$(call say,LINK,$@)
	$(Q)$(call link_test,$<)
demo: deps
	@$(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS)) all
	@OSLER=$(BUILD)/osler recipes/demo/run.sh
phantom-base: deps
	@$(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS)) all
	@OSLER=$(BUILD)/osler recipes/demo/base.sh
slices:
	@tools/deps.sh slices
	@$(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS)) all $(BUILD)/atlas
	@OSLER=$(BUILD)/osler ATLAS=$(BUILD)/atlas recipes/slices/run.sh

selected = $(foreach t,$(TEST_SRC:tests/%.c=%),$(if $(findstring $(T),$(t)),$(BUILD)/tests/$(t)))
test: $(selected) $(if $(findstring cli,$(selected)),$(BUILD)/osler $(EXAMPLES))
	@OSLER=$(BUILD)/osler tools/run_tests.sh $(BUILD)/log $(selected)

T ?=
SECONDS ?= 60
fuzz:
	@test -f tests/fuzz/fuzz_$(T).c || { echo "T= one of: $(FUZZ_SRC:tests/fuzz/fuzz_%.c=%)"; exit 1; }
	@$(MAKE) --no-print-directory CC=clang CXX=clang++ SAN=fuzzer-no-link,address,undefined BUILD=build-fuzz \
	    build-fuzz/tests/fuzz/fuzz_$(T)
	@mkdir -p build-fuzz/corpus/$(T)
	build-fuzz/tests/fuzz/fuzz_$(T) -max_total_time=$(SECONDS) -timeout=10 -print_final_stats=1 \
	    -artifact_prefix=build-fuzz/$(T)- build-fuzz/corpus/$(T) tests/fuzz/corpus/$(T)

longest:
	@SHOW=25 tools/longest.sh
layers:
	@tools/layers.sh
format:
	@find src include tests -name '*.c' -o -name '*.h' -o -name '*.cc' | xargs clang-format -i

# ---- speed -----------------------------------------------------------------------------------------------------------
# The scripts take CONFIG, CASES, FLAGS, PEERS and what else they know (tools/bench_peers.sh, profile.sh) from the command
# line of make.
.PHONY: bench tables profile
bench: $(BUILD)/osler
	@OSLER=$(BUILD)/osler tools/bench_peers.sh
tables:
	@tools/result_tables.sh docs/speed.md
profile: $(BUILD)/osler
	@OSLER=$(BUILD)/osler OUT=$(BUILD) tools/profile.sh

# ---- installing ------------------------------------------------------------------------------------------------------
define OSLER_PC
prefix=$(PREFIX)
Name: osler
Description: post-trains medical vision-language models
Version: $(VERSION)
Cflags: -I$${prefix}/include
Libs: -L$${prefix}/lib -losler
Libs.private: $(LIBS)
endef

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 755 $(BUILD)/osler $(DESTDIR)$(PREFIX)/bin/osler
	install -m 644 include/osler.h $(DESTDIR)$(PREFIX)/include/osler.h
	install -m 644 $(BUILD)/libosler.a $(DESTDIR)$(PREFIX)/lib/libosler.a
	install -m 755 $(BUILD)/libosler.so $(DESTDIR)$(PREFIX)/lib/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/libosler.so
	@printf '%s\n' "$$OSLER_PC" >$(DESTDIR)$(PREFIX)/lib/pkgconfig/osler.pc
install: export OSLER_PC := $(OSLER_PC)

clean:
	rm -rf build build-*

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
