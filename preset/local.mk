# Presets: the shipped texts, and the readers of the clients' configurations.
noinst_LIBRARIES += preset/libpreset.a
preset_libpreset_a_SOURCES = \
	preset/preset.c preset/preset.h preset/project.c preset/project.h preset/ask.c preset/ask.h \
	preset/client.c preset/client.h preset/client_apt.c preset/client_cargo.c preset/client_composer.c \
	preset/client_gem.c preset/client_git.c preset/client_go.c preset/client_gradle.c \
	preset/client_maven.c preset/client_npm.c preset/client_pip.c \
	preset/config.h preset/config_lines.c preset/config_lines.h preset/config_ini.c preset/config_toml.c \
	preset/config_xml.c preset/config_yaml.c preset/config_apt.c preset/config_composer.c
preset_libpreset_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
PRESET_LIBS = preset/libpreset.a $(JANSSON_LIBS)

presetdir = $(pkgdatadir)/policies
dist_preset_DATA = policies/apt policies/cargo policies/composer policies/gem policies/git-github \
	policies/git-gitlab policies/go policies/gradle policies/maven policies/npm policies/pip

# Where cijail finds them when it runs from the build tree.
noinst_DATA = presets/stamp
presets/stamp: $(dist_preset_DATA)
	$(AM_V_GEN)$(MKDIR_P) presets && for p in $(dist_preset_DATA); do \
	  f=$$p; test -f "$$f" || f=$(srcdir)/$$p; cp "$$f" presets/ || exit 1; done && touch $@
clean-local:
	rm -rf presets

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_config
TESTS += tests/unit/test_config
tests_unit_test_config_SOURCES = tests/unit/test_config.c
tests_unit_test_config_LDADD = $(PRESET_LIBS) $(COMMON_LIBS) $(CMOCKA_LIBS)
endif

check_PROGRAMS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c $(FUZZ_MAIN)
tests_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_config_LDADD = $(PRESET_LIBS) $(COMMON_LIBS)
if !FUZZERS
TESTS += tests/fuzz/fuzz_config
endif
EXTRA_DIST += tests/fuzz/config.dict tests/fuzz/corpus/config
