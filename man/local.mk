dist_man_MANS += man/cijail.1 man/cijail-policy.5 man/cijail-dnsproxy.8 man/cijail-httpproxy.8 man/cijail-internals.7 man/cijailctl.8 man/cijail-oci-hook.8
