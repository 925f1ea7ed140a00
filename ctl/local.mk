noinst_LIBRARIES += ctl/libctl.a
ctl_libctl_a_SOURCES = ctl/ctl.h ctl/cli.c ctl/check.c ctl/covers.c ctl/covers.h ctl/risks.c ctl/risks.h \
	ctl/finding.c ctl/finding.h ctl/doctor.c ctl/doctor_probe.c ctl/doctor.h ctl/json.c ctl/json.h ctl/explain.c ctl/show.c ctl/diff.c ctl/report.c ctl/podman.c
ctl_libctl_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(PSL_CFLAGS)

CTL_LIBS = ctl/libctl.a oci/libocihook.a src/libcijail.a nft/libnft.a $(PRESET_LIBS) $(COMMON_LIBS) $(NL_LIBS) $(NFT_LIBS) \
	$(JANSSON_LIBS) $(PSL_LIBS)

bin_PROGRAMS += ctl/cijailctl
ctl_cijailctl_SOURCES = ctl/main.c
ctl_cijailctl_LDADD = $(CTL_LIBS)
