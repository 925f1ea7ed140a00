/* The rules: what the kernel makes of them, as an ordinary user or root. What passes them:
 * test_rules_traffic.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h> /* before linux/in.h */

#include <libmnl/libmnl.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "nft/ruleset.h"
#include "nft/transaction.h"
#include "src/policy.h"
#include "src/util.h"
#include "tests/unit/twonets.h"

#define LIST "nft -s list ruleset"
#define LISTING_MAX 16384

static int in_child(void (*body)(void))
{
    int status = -1;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        alarm(30);
        twonets_unshare(CLONE_NEWNET);
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void list(char out[LISTING_MAX])
{
    CHECK(twonets_output(LIST, out, LISTING_MAX) == 0);
}

/* The rules of a policy of these words. */
static void from_words(struct ruleset *r, const char *words)
{
    struct policy p;
    struct error e = {""};

    policy_init(&p);
    CHECK_OK(policy_parse(&p, "test", words, strlen(words), &e), &e);
    ruleset_from_policy(r, &p, false);
    policy_free(&p);
}

/* The examples of cijail.nft, in another order, with repeats and overlaps. */
static const char example_words[] =
    "https://a.example/ http://b.example:8443/x http://c.example/ PUT:https://d.example/ "
    "203.0.113.128/25:53 [2001:db8:1::]/48:53 203.0.113.7:53 198.51.100.53:53 203.0.113.0/25:53 "
    "[2001:db8::53]:53 [2001:db8:1:2::]/64:53 203.0.113.0/25:53 name.example "
    "192.0.2.0/24:443 [2001:db8::]/32:22 192.0.2.7:22 192.0.2.0/24:443 127.0.0.1:99 [::1]:99";

/* What the kernel holds after ruleset_install is what it holds after nft -f cijail.nft. */
static void as_written(void)
{
    static char ours[LISTING_MAX];
    static char theirs[LISTING_MAX];
    const char *srcdir = getenv("srcdir");
    char command[512];
    struct error e = {""};
    struct ruleset r;

    from_words(&r, example_words);
    r.with_ipv6 = 1;
    CHECK_OK(ruleset_install(&r, &e), &e);
    ruleset_free(&r);
    list(ours);
    CHECK(unshare(CLONE_NEWNET) == 0);
    (void)snprintf(command, sizeof command, "nft -f %s/nft/cijail.nft && " LIST,
                   srcdir ? srcdir : ".");
    CHECK(twonets_output(command, theirs, sizeof theirs) == 0);
    CHECK(strlen(ours) > 1000);
    if (strcmp(ours, theirs) != 0) {
        fprintf(stderr, "ruleset.c:\n%s\ncijail.nft:\n%s\n", ours, theirs);
        _exit(1);
    }
}

static void without_ipv6(void)
{
    static char out[LISTING_MAX];
    struct error e = {""};
    struct ruleset r;

    from_words(&r, example_words);
    CHECK_OK(ruleset_install(&r, &e), &e);
    ruleset_free(&r);
    list(out);
    CHECK(strstr(out, "ip saddr 192.0.0.2") && strstr(out, "policy drop"));
    CHECK(strstr(out, "@url_ports tproxy ip to") && strstr(out, "@dns4 udp dport 53 tproxy"));
    CHECK(!strstr(out, "ip6") && !strstr(out, "icmpv6") && !strstr(out, "dns6"));
}

/* Nothing of the interception is there unless the policy asks for it, nor more than it asks for. */
static void as_asked(void)
{
    static const struct {
        const char *words;
        bool urls, dns4, dns6, raw;
    } rows[] = {
        {"", false, false, false, false},
        {"name.example", false, false, false, false},
        {"127.0.0.1:53 [::1]:53 127.0.0.1:54 [::1]:54", false, false, false, false},
        {"name.example:22", false, false, false, true},
        {"http://a.example/", true, false, false, false},
        {"198.51.100.1:53", false, true, false, false},
        {"[2001:db8::1]:53", false, false, true, false},
        {"198.51.100.1:54", false, false, false, true},
        {"[2001:db8::]/32:54", false, false, false, true},
        {"[::]/0:53 0.0.0.0/0:53", false, true, true, false},
    };
    static char out[LISTING_MAX];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool any = rows[i].urls || rows[i].dns4 || rows[i].dns6 || rows[i].raw;
        struct error e = {""};
        struct ruleset r;

        from_words(&r, rows[i].words);
        r.with_ipv6 = 1;
        CHECK(unshare(CLONE_NEWNET) == 0);
        CHECK_OK(ruleset_install(&r, &e), &e);
        ruleset_free(&r);
        list(out);
        CHECK((strstr(out, "tproxy") != NULL) == any);
        CHECK((strstr(out, "chain intercept") != NULL) == any);
        CHECK((strstr(out, "jump intercept") != NULL) == any);
        CHECK((strstr(out, "meta mark 0x00000001 accept") != NULL) == any);
        CHECK((strstr(out, "url_ports") != NULL) == rows[i].urls);
        CHECK((strstr(out, "dns4") != NULL) == rows[i].dns4);
        CHECK((strstr(out, "dns6") != NULL) == rows[i].dns6);
        CHECK((strstr(out, "@raw_ports") != NULL) == rows[i].raw);
        CHECK((strstr(out, "chain held") != NULL) == rows[i].raw);
        CHECK((strstr(out, "iif \"lo\" jump held") != NULL) == rows[i].raw);
        CHECK((strstr(out, "group 2") != NULL) == rows[i].raw);
    }
    CHECK(strstr(out, "elements = { 0.0.0.0/0 }") && strstr(out, "elements = { ::/0 }"));
}

/* Ports and servers by the thousand fit; and when they do not, nothing is installed. */
static void many(void)
{
    static char out[1 << 20];
    struct ruleset_range *list4 = xcalloc(1000, sizeof(*list4));
    uint16_t *list = xcalloc(65535, sizeof(*list));
    struct ruleset r = {.url_ports = list, .url_port_count = 3000, .dns4 = {list4, 1000}};
    struct error e = {""};

    for (unsigned i = 0; i < 65535; i++)
        list[i] = (uint16_t)(i + 1);
    for (unsigned i = 0; i < 1000; i++) {
        const uint8_t address[4] = {10, (uint8_t)(i >> 8), (uint8_t)i, 1};
        memcpy(list4[i].first, address, sizeof(address));
        memcpy(list4[i].last, address, sizeof(address));
    }
    r.url_port_count = 65535;
    CHECK(ruleset_install(&r, &e) == -EMSGSIZE);
    CHECK(twonets_output(LIST, out, sizeof out) == 0);
    CHECK(strcmp(out, "") == 0);
    r.url_port_count = 3000;
    CHECK_OK(ruleset_install(&r, &e), &e);
    CHECK(twonets_output(LIST, out, sizeof out) == 0);
    CHECK(strstr(out, " 3000") && strstr(out, "10.3.231.1") && strstr(out, "10.0.0.1"));
    ruleset_free(&r);
}

/* A dry run: each port, whether the policy has it or not. */
static void dry_run(void)
{
    static char out[LISTING_MAX];
    struct error e = {""};
    struct policy p;
    struct ruleset r;

    policy_init(&p);
    CHECK_OK(policy_parse(&p, "test", "192.0.2.1:22 http://h:81/", 25, &e), &e);
    ruleset_from_policy(&r, &p, true);
    policy_free(&p);
    r.with_ipv6 = 1;
    CHECK(ruleset_takes_raw(&r));
    CHECK_OK(ruleset_install(&r, &e), &e);
    ruleset_free(&r);
    list(out);
    CHECK(!strstr(out, "raw_ports"));
    CHECK(strstr(out, "elements = { 80, 81, 443 }"));
    CHECK(strstr(out, "ip saddr 192.0.0.2 meta l4proto udp tproxy ip to 192.0.0.1:3130"));
    CHECK(strstr(out, "group 2"));
}

/* So many ports that the set would not fit into the transaction: the same, but for 80 and 443. */
static void many_raw(void)
{
    static char out[LISTING_MAX];
    struct error e = {""};
    struct policy p;
    struct ruleset r;
    char word[32];

    policy_init(&p);
    for (int port = 1000; port < 6000; port++) {
        int n = snprintf(word, sizeof word, "192.0.2.%d:%d", port % 250, port);
        CHECK_OK(policy_parse(&p, "test", word, (size_t)n, &e), &e);
    }
    ruleset_from_policy(&r, &p, false);
    policy_free(&p);
    CHECK(r.raw_all && r.url_port_count == 0);
    CHECK_OK(ruleset_install(&r, &e), &e);
    ruleset_free(&r);
    list(out);
    CHECK(!strstr(out, "raw_ports") && strstr(out, "group 2"));
}

/* The second time is an error and changes nothing. */
static void twice(void)
{
    static char before[LISTING_MAX];
    static char after[LISTING_MAX];
    struct error e = {""};
    struct ruleset r = {.with_ipv6 = 0};

    CHECK_OK(ruleset_install(&r, &e), &e);
    list(before);
    r.with_ipv6 = 1;
    CHECK(ruleset_install(&r, &e) == -EEXIST);
    CHECK(strstr(e.text, "already there"));
    list(after);
    CHECK(strcmp(before, after) == 0);
}

static void without_capability(void)
{
    struct error e = {""};
    struct ruleset r = {.with_ipv6 = 1};

    twonets_unshare(0); /* a user namespace below the one that owns the network */
    CHECK(ruleset_install(&r, &e) == -EPERM);
    CHECK(strstr(e.text, "CAP_NET_ADMIN"));
}

static void put_table(struct transaction *t, const char *name)
{
    struct nftnl_table *table = nftnl_table_alloc();

    CHECK(table && nftnl_table_set_str(table, NFTNL_TABLE_NAME, name) == 0);
    nftnl_table_nlmsg_build_payload(
        transaction_message(t, NFT_MSG_NEWTABLE, NFPROTO_INET, NLM_F_CREATE, "a table", NULL),
        table);
    transaction_next(t);
    nftnl_table_free(table);
}

/* A rule in a chain that does not exist: the kernel says ENOENT, as it does for a module that it
 * lacks. */
static void put_bad_rule(struct transaction *t, const char *table)
{
    struct nftnl_rule *rule = nftnl_rule_alloc();

    CHECK(rule && nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, table) == 0);
    CHECK(nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, "nowhere") == 0);
    nftnl_rule_nlmsg_build_payload(transaction_message(t, NFT_MSG_NEWRULE, NFPROTO_INET,
                                                       NLM_F_CREATE, "a bad rule", "nft_bad"),
                                   rule);
    transaction_next(t);
    nftnl_rule_free(rule);
}

static void all_or_nothing(void)
{
    static char out[LISTING_MAX];
    struct error e = {""};
    struct transaction *t = transaction_new();

    put_table(t, "one");
    put_bad_rule(t, "one");
    put_table(t, "two");
    CHECK(transaction_commit(t, &e) == -EOPNOTSUPP);
    CHECK(strstr(e.text, "a bad rule") && strstr(e.text, "modprobe -a nft_bad"));
    transaction_free(t);
    list(out);
    CHECK(strcmp(out, "") == 0);

    t = transaction_new(); /* the twin */
    put_table(t, "one");
    put_table(t, "two");
    CHECK_OK(transaction_commit(t, &e), &e);
    transaction_free(t);
    list(out);
    CHECK(strstr(out, "table inet one") && strstr(out, "table inet two"));
}

static void too_many(void)
{
    static char out[LISTING_MAX];
    char name[16];
    struct error e = {""};
    struct transaction *t = transaction_new();

    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof name, "t%d", i);
        put_table(t, name);
    }
    CHECK(transaction_commit(t, &e) == -EMSGSIZE);
    transaction_free(t);
    list(out);
    CHECK(strcmp(out, "") == 0);
}

static void test_install(void **state)
{
    (void)state;
    assert_int_equal(in_child(as_written), 0);
    assert_int_equal(in_child(without_ipv6), 0);
    assert_int_equal(in_child(as_asked), 0);
    assert_int_equal(in_child(many), 0);
    assert_int_equal(in_child(dry_run), 0);
    assert_int_equal(in_child(many_raw), 0);
    assert_int_equal(in_child(twice), 0);
    assert_int_equal(in_child(without_capability), 0);
}

static void test_transaction(void **state)
{
    (void)state;
    assert_int_equal(in_child(all_or_nothing), 0);
    assert_int_equal(in_child(too_many), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_install),
        cmocka_unit_test(test_transaction),
    };
    const char *path = getenv("PATH");
    char *longer = xasprintf("%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");

    assert_int_equal(setenv("PATH", longer, 1), 0); /* where nft and ip are */
    free(longer);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
