/* What is learned: folding, and the policy that comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/learn_table.h"
#include "src/util.h"

/* --- folding --- */

/* words: paths with a space between, sorted. */
static void fold(const char *words, const char *want)
{
    cleanup_free char *text = xstrdup(words);
    struct learn_path paths[64];
    char got[4096] = "";
    size_t n = 0, len = 0;
    uint64_t total = 0;

    for (char *p = strtok(text, " "); p; p = strtok(NULL, " "), n++)
        paths[n] = (struct learn_path){p, strlen(p), {1, 100 + (int64_t)n, 100 + (int64_t)n}};
    size_t before = n;
    n = learn_fold(paths, n);
    for (size_t i = 0; i < n; i++) {
        len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%.*s", len ? " " : "",
                                (int)paths[i].len, paths[i].path);
        total += paths[i].use.count;
    }
    assert_string_equal(got, want);
    assert_int_equal(total, before);
}

static void test_fold(void **state)
{
    (void)state;
    fold("", "");
    fold("/a", "/a");
    fold("/", "/");
    fold("/ /a /b/c", "/");
    fold("/d/a /d/b /d/c /d/e", "/d/a /d/b /d/c /d/e");
    fold("/d/a /d/b /d/c /d/e /d/f", "/d/");
    fold("/d/a /d/b /d/c /d/e /d/f /x", "/d/ /x");
    fold("/d/a/1 /d/b/1 /d/c/1 /d/e/1 /d/f/1 /x/y", "/d/ /x/y");
    fold("/d/ /d/a", "/d/");
    /* text: what begins with it is covered */
    fold("/lodash /lodash.merge /lodash/-/lodash-4.tgz", "/lodash");
    /* few at the root are no reason to allow the whole host */
    fold("/a /b /c /d /e /f /g /h /i /j", "/a /b /c /d /e /f /g /h /i /j");
    fold("/a /b /c /d /e /f /g /h /i /j /k /l /m /n /o /p /q", "/");
}

/* Layouts of registries give few lines. */
static void test_fold_registries(void **state)
{
    (void)state;
    fold("/packages/00/a /packages/01/b /packages/02/c /packages/03/d /packages/04/e /simple/a/ "
         "/simple/b/ /simple/c/ /simple/d/ /simple/e/",
         "/packages/ /simple/");
    fold("/debian/dists/stable/InRelease /debian/dists/stable/main/binary-amd64/Packages.xz "
         "/debian/pool/main/a/apt/apt_2.deb /debian/pool/main/b/bash/bash_5.deb "
         "/debian/pool/main/c/curl/curl_8.deb /debian/pool/main/d/dash/dash_0.deb "
         "/debian/pool/main/h/hello/hello_2.deb",
         "/debian/dists/stable/InRelease /debian/dists/stable/main/binary-amd64/Packages.xz "
         "/debian/pool/main/");
    fold("/3/s/syn /an/yh/anyhow /config.json /se/rd/serde /se/rd/serde_json /to/ki/tokio",
         "/3/s/syn /an/yh/anyhow /config.json /se/rd/serde /to/ki/tokio");
    /* few entries with many lines below */
    fold("/a/1/x /a/1/y /a/1/z /a/2/x /a/2/y /a/2/z /a/3/x /a/3/y /a/3/z /a/4/v /a/4/x /a/4/y "
         "/a/4/z",
         "/a/1/ /a/2/ /a/3/ /a/4/");
}

static void test_fold_deep(void **state)
{
    char path[2 * 300 + 2] = "";
    struct learn_path paths[2];
    char other[sizeof(path)];

    (void)state;
    for (size_t i = 0; i < sizeof(path) - 2; i += 2)
        copy_string(path + i, sizeof(path) - i, "/a");
    copy_string(other, sizeof(other), path);
    other[strlen(other) - 1] = 'b';
    paths[0] = (struct learn_path){path, strlen(path), {1, 1, 1}};
    paths[1] = (struct learn_path){other, strlen(other), {1, 2, 2}};
    assert_int_equal(learn_fold(paths, 2), 1);
    assert_int_equal(paths[0].use.count, 2);
    assert_true(paths[0].len < strlen(path) && path[paths[0].len - 1] == '/');
}

/* --- the text --- */

struct fixture {
    struct options options;
    struct policy policy;
    struct learn *learn;
};

static void start_with(struct fixture *f, const char *words, bool dry_run)
{
    static char *command[] = {"make", "a\n# b\x1b", NULL};

    memset(f, 0, sizeof(*f));
    f->options.command = command;
    f->options.dry_run = dry_run;
    policy_init(&f->policy);
    assert_int_equal(policy_parse(&f->policy, "-e", words, strlen(words), NULL), 0);
    policy_seal(&f->policy);
    f->learn = learn_new(&f->options, &f->policy);
}

static void start(struct fixture *f, bool dry_run)
{
    start_with(f, "https://h/ n:22 [netlink]", dry_run);
}

/* The lines without the padding and the times; comment lines that are not asked for are dropped. */
static void finish(struct fixture *f, bool comments, char *out, size_t size)
{
    size_t len, n = 0;
    char *text = learn_text(f->learn, &len);
    struct policy p;
    struct error e;

    assert_int_equal(len, strlen(text));
    policy_init(&p);
    if (policy_parse(&p, "learned", text, len, &e) < 0)
        fail_msg("%s", e.text);
    policy_free(&p);
    out[0] = '\0';
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        size_t word = line[0] == '#' ? 2 + strcspn(line + 2, " ") : strcspn(line, " ");
        if (line[0] != '#' || (comments && strstr(line, "# 1 ")))
            n += (size_t)snprintf(out + n, size - n, "%.*s\n", (int)word, line);
    }
    free(text);
    learn_free(f->learn);
    policy_free(&f->policy);
}

static void used(struct fixture *f, const char *method, const char *url)
{
    learn_request(f->learn, MSG_WOULD_DENY, POLICY_INDEX_NONE, method, url);
}

static void test_text(void **state)
{
    struct msg_log_connect m = {.count = 2, .port = 22, .family = AF_INET, .protocol = IPPROTO_TCP};
    char out[8192];
    struct fixture f;

    (void)state;
    start(&f, true);
    used(&f, "GET", "https://h.example/d/a?token=1");
    used(&f, "POST", "https://h.example/d/a");
    used(&f, "PUT", "https://h.example/up/1");
    used(&f, "GET", "http://[2001:db8::1]:8080/x");
    used(&f, "CONNECT", "pinned.example:443");
    learn_resolve(f.learn, MSG_WOULD_DENY, "h.example", 1);
    learn_resolve(f.learn, MSG_WOULD_DENY, "pinned.example", 1);
    learn_resolve(f.learn, MSG_WOULD_DENY, "only.example", 1);
    assert_int_equal(inet_pton(AF_INET, "203.0.113.1", m.address), 1);
    learn_connect(f.learn, MSG_WOULD_DENY, &m);
    learn_address(f.learn, "ssh.example", AF_INET, m.address);
    learn_connect(f.learn, MSG_WOULD_DENY, &m);
    m.port = 53;
    learn_connect(f.learn, MSG_WOULD_DENY, &m);
    assert_int_equal(inet_pton(AF_INET, "10.0.0.1", m.address), 1);
    m.port = 22;
    learn_address(f.learn, "inside.example", AF_INET, m.address);
    learn_connect(f.learn, MSG_WOULD_DENY, &m);
    learn_unix(f.learn, MSG_WOULD_DENY, "run/x", "/run/x");
    learn_unix(f.learn, MSG_WOULD_DENY, "@abstract", "@abstract");
    learn_unix(f.learn, MSG_WOULD_DENY, "/a b", "/a b"); /* no word has a space */
    finish(&f, false, out, sizeof(out));
    assert_string_equal(out, "GET,HEAD:http://[2001:db8::1]:8080/x\n"
                             "GET,HEAD,POST:https://h.example/d/a\n"
                             "PUT:https://h.example/up/1\n"
                             "10.0.0.1:22\n203.0.113.1:22\n203.0.113.1:53\n"
                             "pinned.example:443\nssh.example:22\n"
                             "only.example\n/run/x\n@abstract\n[netlink]\n");
}

/* What a proxy may not have written as a word: it is one, but of another kind, or a pattern. */
static void test_kinds(void **state)
{
    static const char *const words[] = {
        "/run/docker.sock", "@abstract",     "[netlink]",     "https://evil.test/", "*",
        "*.evil.test",      "10.0.0.0/8:22", "a.test b.test", "a.test\nb.test"};
    char out[8192];
    struct fixture f;

    (void)state;
    start(&f, true);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        learn_resolve(f.learn, MSG_WOULD_DENY, words[i], 1);
        learn_request(f.learn, MSG_WOULD_DENY, POLICY_INDEX_NONE, "CONNECT", words[i]);
        if (words[i][0] != '/' && words[i][0] != '@')
            learn_unix(f.learn, MSG_WOULD_DENY, words[i], words[i]);
    }
    learn_resolve(f.learn, MSG_WOULD_DENY, "h.test:22", 1);
    learn_request(f.learn, MSG_WOULD_DENY, POLICY_INDEX_NONE, "CONNECT", "h.test");
    learn_request(f.learn, MSG_WOULD_DENY, POLICY_INDEX_NONE, "CONNECT", "*.h.test:22");
    finish(&f, false, out, sizeof(out));
    assert_string_equal(out, "[netlink]\n"); /* of the policy of the run */
}

/* Nothing that the policy of the run did not allow: no other method, no wider folder. */
static void test_bounded(void **state)
{
    static const char words[] = "GET:https://h/ GET,HEAD:https://i/d/ POST:https://h/up/ "
                                "GET:https://j/d/0 GET:https://j/d/1 GET:https://j/d/2 "
                                "GET:https://j/d/3 GET:https://j/d/4";
    char out[8192], url[64];
    struct fixture f;

    (void)state;
    start_with(&f, words, false);
    for (int i = 0; i < 5; i++)
        for (int host = 'h'; host <= 'j'; host++) {
            (void)snprintf(url, sizeof(url), "https://%c/d/%d", host, i);
            learn_request(f.learn, MSG_ALLOW, 0, "GET", url);
        }
    learn_request(f.learn, MSG_ALLOW, 2, "POST", "https://h/up/1");
    finish(&f, false, out, sizeof(out));
    assert_string_equal(out, "GET:https://h/d/\nPOST:https://h/up/1\nGET,HEAD:https://i/d/\n"
                             "GET:https://j/d/0\nGET:https://j/d/1\nGET:https://j/d/2\n"
                             "GET:https://j/d/3\nGET:https://j/d/4\n");
}

/* Without their query, or cut for lack of room, URLs are more than the policy allows: its own words
 * stand there, once; and what a proxy says that is of no word of it does not. */
static void test_within(void **state)
{
    static const char words[] = "https://h/search?q=a GET:https://h/search?q=b https://*.g/s?x= "
                                "POST:https://h/api/v2/upload GET:https://h/a/ "
                                "PUT:https://h/a/up?y= n";
    char out[8192], url[64];
    struct fixture f;

    (void)state;
    start_with(&f, words, false);
    learn_request(f.learn, MSG_ALLOW, 0, "GET", "https://h/search?q=a1");
    learn_request(f.learn, MSG_ALLOW, 0, "GET", "https://h/search?q=a2");
    learn_request(f.learn, MSG_ALLOW, 2, "GET", "https://e.g/s?x=1");
    learn_request(f.learn, MSG_ALLOW, 3, "POST", "https://h/api/v2/upload");
    learn_request(f.learn, MSG_ALLOW, 4, "GET", "https://h/a/up");
    learn_request(f.learn, MSG_ALLOW, 5, "PUT", "https://h/a/up?y=1");
    learn_request(f.learn, MSG_ALLOW, 0, "GET", "https://evil.test/x");
    learn_request(f.learn, MSG_ALLOW, 0, "GET", "https://h/b/other");
    for (int i = 0; i < 6; i++) {
        (void)snprintf(url, sizeof(url), "https://h/a/b/c/d/e/f/%d", i);
        learn_request(f.learn, MSG_ALLOW, 4, "GET", url);
    }
    learn_resolve(f.learn, MSG_ALLOW, "n", 1);
    learn_resolve(f.learn, MSG_ALLOW, "secret.n.corp.test", 1); /* answered without a question */
    while (f.learn->segments_max > 1)
        assert_true(learn_coarsen(f.learn));
    finish(&f, false, out, sizeof(out));
    assert_string_equal(
        out,
        "https://*.g/s?x=\nGET:https://h/a/\nPUT:https://h/a/up?y=\nPOST:https://h/api/v2/upload\n"
        "https://h/search?q=a\nGET:https://h/search?q=b\nn\n");
}

/* What was denied stands there as comments only. */
static void test_denied(void **state)
{
    struct msg_log_connect m = {.count = 1, .port = 0, .family = AF_INET, .protocol = IPPROTO_ICMP};
    char out[8192];
    struct fixture f;

    (void)state;
    start(&f, false);
    learn_request(f.learn, MSG_ALLOW, 0, "GET", "https://h/x");
    learn_request(f.learn, MSG_ALLOW, 0, "CONNECT", "h:443"); /* a handshake that failed */
    learn_request(f.learn, MSG_ALLOW, 1, "CONNECT", "n:22");
    learn_request(f.learn, MSG_DENY, POLICY_INDEX_NONE, "PUT", "https://evil.test/x");
    learn_request(f.learn, MSG_DENY, POLICY_INDEX_NONE, "CONNECT", "evil2.test:443");
    learn_request(f.learn, MSG_DENY, POLICY_INDEX_NONE, "CONNECT", "*.test:443");
    learn_request(f.learn, MSG_DENY, POLICY_INDEX_NONE, "G\x1b", "no\nurl");
    learn_resolve(f.learn, MSG_DENY, "evil3.test", 1);
    learn_connect(f.learn, MSG_DENY, &m);
    learn_unix(f.learn, MSG_DENY, "/run/evil\nhttps://evil.test/", "");
    finish(&f, true, out, sizeof(out));
    assert_string_equal(out, "GET,HEAD:https://h/x\nn:22\n[netlink]\n"
                             "# PUT:https://evil.test/x\n"
                             "# (no\n# (no\n# (no\n"
                             "# /run/evil\\x0ahttps://evil.test/\n"
                             "# evil3.test\n# https://evil2.test/\n");
}

/* A wider line of the same methods, or of more, makes a narrower one needless. */
static void test_narrower(void **state)
{
    char out[8192], url[64];
    struct fixture f;

    (void)state;
    start(&f, true);
    for (int i = 0; i < 9; i++) {
        (void)snprintf(url, sizeof(url), "https://h/d/%d", i);
        used(&f, "GET", url);
    }
    used(&f, "HEAD", "https://h/d/e/1");
    used(&f, "POST", "https://h/d/e/1");
    used(&f, "POST", "https://h/d/e/2");
    used(&f, "G T", "https://h/odd");
    used(&f, "A-METHOD-THAT-IS-TOO-LONG-TO-BE-ONE", "https://h/long");
    finish(&f, false, out, sizeof(out));
    assert_string_equal(out,
                        "GET,HEAD:https://h/d/\nHEAD,POST:https://h/d/e/1\nPOST:https://h/d/e/2\n"
                        "https://h/long\nhttps://h/odd\n[netlink]\n");
}

static bool is_allowed(const struct policy *p, const char *url)
{
    struct url u;

    return url_parse(url, strlen(url), &u, NULL) == 0 && policy_match_request(p, "GET", &u);
}

/* More than the table holds: coarser, but all of it. */
static void test_flood(void **state)
{
    struct fixture f;
    struct policy p;
    char url[128];
    size_t len;
    char *text;

    (void)state;
    start(&f, true);
    for (unsigned i = 0; i < 200000; i++) {
        (void)snprintf(url, sizeof(url), "https://h%u.example/%u/%u/%u", i % 3, i % 7, i % 1000, i);
        used(&f, "GET", url);
    }
    assert_true(f.learn->urls.count <= LEARN_URLS_MAX);
    assert_int_equal(f.learn->urls.lost, 0);
    text = learn_text(f.learn, &len);
    policy_init(&p);
    assert_int_equal(policy_parse(&p, "learned", text, len, NULL), 0);
    for (unsigned i = 0; i < 200000; i += 997) {
        (void)snprintf(url, sizeof(url), "https://h%u.example/%u/%u/%u", i % 3, i % 7, i % 1000, i);
        assert_true(is_allowed(&p, url));
    }
    assert_false(is_allowed(&p, "https://h3.example/0/0/0"));
    free(text);
    policy_free(&p);
    learn_free(f.learn);
    policy_free(&f.policy);
}

/* URLs that are too long for a word, or were cut. */
static void test_long(void **state)
{
    char url[MSG_URL_SIZE] = "https://h/a/b/";
    char out[8192];
    struct fixture f;

    (void)state;
    memset(url + strlen(url), 'x', sizeof(url) - strlen(url) - 1);
    url[sizeof(url) - 1] = '\0';
    start(&f, true);
    used(&f, "GET", url);
    url[3800] = '\0';
    used(&f, "GET", url);
    copy_string(url + 15, sizeof(url) - 15, "%2");
    used(&f, "GET", url); /* not canonical: counted as lost */
    assert_int_equal(f.learn->urls.lost, 1);
    finish(&f, false, out, sizeof(out));
    assert_string_equal(out, "GET,HEAD:https://h/a/b/\n[netlink]\n");
}

/* --- the file --- */

static void test_file(void **state)
{
    char folder[] = "/tmp/cijail-test-learn.XXXXXX";
    char path[64];
    struct fixture f;
    struct error e;
    struct stat st;
    char *text;
    size_t len;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/policy", folder);
    start(&f, true);
    learn_free(f.learn);
    f.options.learn_path = path;
    assert_int_equal(learn_open(&f.learn, &f.options, &f.policy, &e), 0);
    assert_int_equal(access(path, F_OK), -1); /* not before the end */
    used(&f, "GET", "https://h/x");
    assert_int_equal(learn_write(f.learn, &e), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(read_file(path, 65536, &text, &len, NULL), 0);
    assert_non_null(strstr(text, "\nGET,HEAD:https://h/x "));
    free(text);
    learn_free(f.learn);
    f.options.learn_path = folder;
    assert_true(learn_open(&f.learn, &f.options, &f.policy, &e) < 0);
    assert_non_null(strstr(e.text, "is a folder"));
    f.options.learn_path = "/nonexistent/policy";
    assert_true(learn_open(&f.learn, &f.options, &f.policy, &e) < 0);
    f.options.learn_path = "";
    assert_true(learn_open(&f.learn, &f.options, &f.policy, &e) < 0);
    policy_free(&f.policy);
    (void)unlink(path);
    assert_int_equal(rmdir(folder), 0); /* nothing else is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fold),      cmocka_unit_test(test_fold_registries),
        cmocka_unit_test(test_fold_deep), cmocka_unit_test(test_text),
        cmocka_unit_test(test_kinds),     cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_within),    cmocka_unit_test(test_denied),
        cmocka_unit_test(test_narrower),  cmocka_unit_test(test_flood),
        cmocka_unit_test(test_long),      cmocka_unit_test(test_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
