noinst_LIBRARIES += src/libcommon.a src/libcijail.a
src_libcommon_a_SOURCES = \
	src/error.c src/error.h src/util.c src/util.h src/net.h src/address.c src/address.h \
	src/name.c src/name.h src/search_list.c src/search_list.h src/url.c src/url_target.c src/url_deep.c src/url.h src/url_split.h \
	src/policy.c src/policy_word.c src/policy_url.c src/policy_address.c src/policy_raw.c src/policy_index.c src/policy_index.h src/policy_word.h src/policy.h \
	src/msg.c src/msg.h src/msg_batch.c src/msg_batch.h src/channel.c src/channel.h src/filter.c src/filter.h src/filters.h src/isolate.c src/isolate.h \
	src/libexec.c src/libexec.h src/policy_file.c src/policy_file.h src/memfd.c src/memfd.h src/quota.c src/quota.h src/parent.c src/parent.h src/base64.c src/base64.h src/secret.c src/secret.h src/relay.c src/relay.h src/report.c src/report.h src/report_parts.h \
	src/report_text.c src/report_html.c src/report_json.c src/upstream_judge.c src/upstream_judge.h src/tls_client.c src/tls_client.h
nodist_src_libcommon_a_SOURCES = src/filters.c

# The filters of system calls are made here, once.
FILTER_BUILD = src/filter_build.c src/filter_rules.h src/command_rules.c src/confine_rules.c src/proxy_lock_rules.c \
	src/isolate_rules.c
noinst_PROGRAMS += src/make_filters
src_make_filters_SOURCES = src/make_filters.c src/raw_maker_calls.h $(FILTER_BUILD) src/util.c src/error.c
src_make_filters_LDADD = $(SECCOMP_LIBS)
src/filters.c: src/make_filters$(EXEEXT)
	$(AM_V_GEN)src/make_filters$(EXEEXT) >$@.new && mv $@.new $@
CLEANFILES += src/filters.c src/filters.c.new

if SANITIZERS
src_libcommon_a_SOURCES += tests/lib/reports.c
endif
src_libcijail_a_SOURCES = \
	src/options.c src/options.h src/userns.c src/userns.h \
	src/netns.c src/netns_nl.h src/netns_intercept.c src/netns_socket.c src/netns_sysctl.c src/netns_ready.c src/netns_ready.h src/netns.h src/netns_sysctl.h \
	src/launch.c src/launch.h src/gateway.c src/proxy_lock.c src/proxy_lock.h src/proxy_process.c src/proxy_process.h src/child.c src/mounts.c src/mounts.h src/own_folder.c src/own_folder.h src/autofs.c src/autofs.h \
	src/seccomp.c src/seccomp.h src/ca_bundle.c src/ca_bundle.h src/java_store.c src/java_store.h \
	src/supervisor.c src/supervisor_proxy.c src/supervisor_jail.c src/supervisor_parent.c src/supervisor_secret.c src/supervisor.h src/supervisor_parts.h src/dialer.c src/dialer.h src/parent_dial.c src/parent_dial.h src/resolver.c src/resolver.h \
	src/connector.c src/connector.h src/upstream_dns.c src/upstream_dns.h src/upstream_udp.c src/upstream_tcp.c src/upstream_packet.c src/upstream_parts.h \
	src/upstream_servers.c src/upstream_servers.h src/upstream_dialer.c src/upstream_dialer.h \
	src/resolv_conf.c src/resolv_conf.h src/hosts_file.c src/hosts_file.h src/learned.c src/learned.h src/log.c src/log.h src/progress.c src/progress.h src/summary.c src/summary.h \
	src/learn.c src/learn_text.c src/learn_table.c src/learn_fold.c src/learn.h src/learn_table.h src/learn_fold.h \
	src/packet_relay.c src/packet_relay.h src/mirror.c src/mirror_dial.c src/mirror_udp.c src/mirror.h src/mirror_dial.h src/mirror_udp.h \
	src/raw.c src/raw.h src/raw_parts.h src/raw_judge.c src/raw_tcp.c src/raw_udp.c src/raw_maker.c src/raw_maker.h src/udp_flows.c src/udp_flows.h \
	src/host_listeners.c src/host_listeners.h src/jail_listen.c src/jail_listen.h src/unix_ids.c src/unix_ids.h \
	src/unix_gate.c src/unix_gate.h src/gate_process.c src/gate_process.h src/confine.c src/confine.h src/confine_seccomp.c src/confine_seccomp.h \
	src/jail_environment.c src/jail_environment.h src/jail_resolv_conf.c src/jail_resolv_conf.h src/container.c src/container.h src/supervisor_container.c src/jail_abort.c src/jail_abort.h src/unix_judge.c src/unix_judge.h src/unix_diag.c src/unix_diag.h \
	src/unix_path.c src/unix_path.h src/unix_holders.c src/unix_holders.h
src_libcijail_a_CFLAGS = $(AM_CFLAGS) $(NL_CFLAGS) $(EVENT_CFLAGS)

bin_PROGRAMS += src/cijail
src_cijail_SOURCES = src/main.c
src_cijail_LDADD = src/libcijail.a nft/libnft.a $(PRESET_LIBS) $(COMMON_LIBS) $(NL_LIBS) $(NFT_LIBS)

if HAVE_CMOCKA
SRC_TESTS = tests/unit/test_address tests/unit/test_log tests/unit/test_progress tests/unit/test_options tests/unit/test_connector \
	tests/unit/test_relay tests/unit/test_host_listeners tests/unit/test_unix_judge tests/unit/test_packet_relay \
	tests/unit/test_dialer tests/unit/test_autofs tests/unit/test_own_folder tests/unit/test_java_store tests/unit/test_learn \
	tests/unit/test_learned tests/unit/test_raw_judge tests/unit/test_upstream_packet tests/unit/test_parent \
	tests/unit/test_upstream_dns tests/unit/test_resolver tests/unit/test_resolv_conf
check_PROGRAMS += $(SRC_TESTS)
TESTS += $(SRC_TESTS)
tests_unit_test_address_SOURCES = tests/unit/test_address.c
tests_unit_test_address_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_test_upstream_packet_SOURCES = tests/unit/test_upstream_packet.c
tests_unit_test_upstream_packet_LDADD = src/libcijail.a $(COMMON_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_upstream_dns_SOURCES = tests/unit/test_upstream_dns.c
tests_unit_test_upstream_dns_LDADD = src/libcijail.a $(COMMON_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_resolver_SOURCES = tests/unit/test_resolver.c
tests_unit_test_resolver_LDADD = src/libcijail.a $(COMMON_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_resolv_conf_SOURCES = tests/unit/test_resolv_conf.c
tests_unit_test_resolv_conf_LDADD = src/libcijail.a $(COMMON_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_progress_SOURCES = tests/unit/test_progress.c
tests_unit_test_progress_LDADD = src/libcijail.a $(COMMON_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_LDADD = src/libcijail.a $(COMMON_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_options_SOURCES = tests/unit/test_options.c
tests_unit_test_options_LDADD = src/libcijail.a $(PRESET_LIBS) $(COMMON_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_connector_SOURCES = tests/unit/test_connector.c
tests_unit_test_connector_LDADD = src/libcijail.a $(COMMON_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_java_store_SOURCES = tests/unit/test_java_store.c
tests_unit_test_java_store_LDADD = src/libcijail.a $(COMMON_LIBS) $(NFT_LIBS) $(SSL_LIBS) $(CMOCKA_LIBS)
tests_unit_test_own_folder_SOURCES = tests/unit/test_own_folder.c
tests_unit_test_own_folder_LDADD = src/libcijail.a $(COMMON_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_autofs_SOURCES = tests/unit/test_autofs.c
tests_unit_test_autofs_LDADD = src/libcijail.a $(COMMON_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_dialer_SOURCES = tests/unit/test_dialer.c
tests_unit_test_dialer_LDADD = src/libcijail.a $(COMMON_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_host_listeners_SOURCES = tests/unit/test_host_listeners.c
tests_unit_test_host_listeners_LDADD = src/libcijail.a $(COMMON_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_unix_judge_SOURCES = tests/unit/test_unix_judge.c
tests_unit_test_unix_judge_LDADD = src/libcijail.a $(COMMON_LIBS) $(NFT_LIBS) $(NL_LIBS) $(CMOCKA_LIBS)
tests_unit_test_packet_relay_SOURCES = tests/unit/test_packet_relay.c
tests_unit_test_packet_relay_LDADD = src/libcijail.a $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_test_learn_SOURCES = tests/unit/test_learn.c
tests_unit_test_learn_LDADD = src/libcijail.a $(COMMON_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_learned_SOURCES = tests/unit/test_learned.c
tests_unit_test_learned_LDADD = src/libcijail.a $(COMMON_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_parent_SOURCES = tests/unit/test_parent.c
tests_unit_test_parent_LDADD = $(COMMON_LIBS) $(CMOCKA_LIBS)
tests_unit_test_raw_judge_SOURCES = tests/unit/test_raw_judge.c
tests_unit_test_raw_judge_LDADD = src/libcijail.a $(COMMON_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_relay_SOURCES = tests/unit/test_relay.c
tests_unit_test_relay_LDADD = src/libcijail.a $(COMMON_LIBS) $(NFT_LIBS) $(CMOCKA_LIBS)
endif

check_PROGRAMS += tests/fuzz/fuzz_learn
tests_fuzz_fuzz_learn_SOURCES = tests/fuzz/fuzz_learn.c $(FUZZ_MAIN)
tests_fuzz_fuzz_learn_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_learn_LDADD = src/libcijail.a $(COMMON_LIBS)
if !FUZZERS
TESTS += tests/fuzz/fuzz_learn
endif
EXTRA_DIST += tests/fuzz/learn.dict tests/fuzz/corpus/learn
