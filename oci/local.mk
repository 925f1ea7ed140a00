noinst_LIBRARIES += oci/libocihook.a
oci_libocihook_a_SOURCES = oci/hook.h oci/hook.c oci/runtime_dir.c oci/runtime_dir.h oci/request.c oci/request.h \
	oci/refuse.c oci/refuse.h oci/refuse_mounts.c oci/sockets.c oci/sockets.h oci/admin.c oci/admin.h oci/caller.c oci/caller.h oci/trust.c oci/trust.h oci/precreate.c oci/create.c \
	oci/oci_json.c oci/oci_json.h
oci_libocihook_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)

pkglibexec_PROGRAMS += oci/cijail-oci-hook
oci_cijail_oci_hook_SOURCES = oci/main.c
oci_cijail_oci_hook_LDADD = oci/libocihook.a src/libcijail.a nft/libnft.a $(PRESET_LIBS) $(COMMON_LIBS) $(NL_LIBS) $(NFT_LIBS) $(JANSSON_LIBS)

# As podman and CRI-O read it, if they are told of this folder (cijail-oci-hook(8)).
ocihooksdir = $(datadir)/containers/oci/hooks.d
nodist_ocihooks_DATA = oci/cijail.json
EXTRA_DIST += oci/cijail.json.in
CLEANFILES += oci/cijail.json
oci/cijail.json: $(top_srcdir)/oci/cijail.json.in Makefile
	$(AM_V_GEN)$(MKDIR_P) oci && sed 's|@pkglibexecdir[@]|$(pkglibexecdir)|' $(top_srcdir)/oci/cijail.json.in >$@

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_oci
TESTS += tests/unit/test_oci
tests_unit_test_oci_SOURCES = tests/unit/test_oci.c
tests_unit_test_oci_LDADD = oci/libocihook.a src/libcijail.a nft/libnft.a $(PRESET_LIBS) $(COMMON_LIBS) $(NL_LIBS) $(NFT_LIBS) $(JANSSON_LIBS) \
	$(CMOCKA_LIBS)
endif
