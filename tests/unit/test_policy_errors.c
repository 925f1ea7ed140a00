/* test_policy_errors.c: each error of the endpoint language, to the letter: source, line, word,
 * reason, and what is expected. The sources are read too, so that an error without a case here
 * fails the test (test_every_error_has_a_case). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/options.h"
#include "src/util.h"
#include "tests/unit/error_strings.h"

#define URL "[METHOD,...:]https://HOST[:PORT]/PREFIX"
#define UNIX "/path/to/socket, absolute"
#define ABSTRACT "@abstract"
#define IPV6 "[ADDRESS6]:PORT, [ADDRESS6]/LEN:PORT or [netlink]"
#define PLAIN "an endpoint in plain text"
#define ANY                                                                                        \
    "a URL (https://HOST[:PORT]/PREFIX), NAME, NAME!private, NAME:PORT, ADDRESS:PORT, "            \
    "ADDRESS/LEN:PORT, "                                                                           \
    "[ADDRESS6]:PORT, /path/to/socket, @abstract or [netlink]"

#define A10 "aaaaaaaaaa"
#define A50 A10 A10 A10 A10 A10
#define A100 A50 A50
#define A64 A50 A10 "aaaa"
#define CUT "aaa..."

/* A word, and "SOURCE:LINE: 'SHOWN': REASON; expected EXPECTED". */
struct word_case {
    const char *word;
    const char *reason, *expected;
    const char *shown; /* NULL: as the word */
};

static const struct word_case words[] = {
    /* private addresses */
    {"h:80!private", "'!private' belongs to a NAME without a port", ANY, NULL},
    {"10.0.0.1!private", "'!private' belongs to a NAME without a port", ANY, NULL},
    {"h/a!private", "'!private' belongs to a NAME without a port", ANY, NULL},
    {"h!privat", "'!' may not stand in a name", ANY, NULL},
    {"!private", "'!' may not stand in a name", ANY, NULL},
    /* a URL: what stands before it */
    {"http:/h/", "a URL has '://' after its scheme", URL, NULL},
    {"://h/", "the URL has no scheme before '://'", URL, NULL},
    {"ftp://h/", "only http and https URLs; for other protocols write NAME:PORT", URL, NULL},
    {"GET,https://h/", "a list of methods ends in ':' before the URL", URL, NULL},
    {"<https://h/>", "only a list of methods may stand before a URL", URL, NULL},
    {":https://h/", "the list of methods is empty", URL, NULL},
    {"GET,,PUT:https://h/", "the list of methods has an empty one", URL, NULL},
    {"ABCDEFGHIJKLMNOPQRSTUVWX:https://h/", "a method is longer than 23 characters", URL, NULL},
    {"get:https://h/", "methods are written in upper case", URL, NULL},
    {"*:https://h/", "'*' is no method: without a list all methods are allowed", URL, NULL},
    {"GET;PUT:https://h/", "the text before the URL is not a list of methods", URL, NULL},
    {"A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q:https://h/", "more than 16 methods", URL, NULL},
    /* its host and port */
    {"https:///x", "the host is empty", URL, NULL},
    {"https://:80/x", "the host is empty", URL, NULL},
    {"https://user:secret@h/", "userinfo ('@') before the host is refused", URL, NULL},
    {"https://h\\@i/", "userinfo ('@') before the host is refused", URL, "https://h\\x5c@i/"},
    {"https://h\\i/", "a backslash in the host is refused", URL, "https://h\\x5ci/"},
    {"https://[::1/", "'[' without ']' in the host", URL, NULL},
    {"https://[::1]x/", "only ':PORT' may follow the ']'", URL, NULL},
    {"https://::1/", "the host has more than one ':' (an IPv6 address needs brackets)", URL, NULL},
    {"https://[fe80::1%eth0]/", "an IPv6 address with a zone id is refused", URL, NULL},
    {"https://[h]/", "not an IPv6 address between the brackets", URL, NULL},
    {"https://127.1/",
     "a host that ends in a number must be an IPv4 address of four decimal numbers (no octal, hex "
     "or short form)",
     URL, NULL},
    {"https://*.1/",
     "a name that ends in a number is an IPv4 address, and it is not one in plain form", URL, NULL},
    {"https://h:/", "the port is empty", URL, NULL},
    {"https://h:https/", "the port is not a decimal number", URL, NULL},
    {"https://h:99999/", "the port is not from 1 to 65535", URL, NULL},
    {"https://h:0443/", "the port has a leading zero", URL, NULL},
    /* its path */
    {"https://h/a#b", "a fragment ('#') in the URL is refused", URL, NULL},
    {"https://h/a\\b", "a backslash in the path is refused", URL, "https://h/a\\x5cb"},
    {"https://h/%5C", "an encoded backslash (%5C) in the path is refused", URL, NULL},
    {"https://h/%00", "an encoded NUL (%00) in the path is refused", URL, NULL},
    {"https://h/%zz", "'%' without two hex digits after it", URL, NULL},
    {"https://h/a/..;x", "a dot segment with a parameter ('..;') is refused", URL, NULL},
    {"https://h/a%2F%2Fb", "an encoded slash (%2F) that makes an empty segment", URL, NULL},
    {"https://h/a%2F..", "an encoded slash (%2F) that makes a dot segment", URL, NULL},
    {"https://h/a/..",
     "the prefix ends in a dot segment ('.' or '..'): write the path that it stands for", URL,
     NULL},
    /* a name */
    {"./s", "a socket is named by its absolute path, and a file of endpoints by -p", ANY, NULL},
    {"h/a", "a path belongs to a URL, which begins with https:// or http://", ANY, NULL},
    {"a,b", "',' may not stand in a name", ANY, NULL},
    {"a\\b", "the byte \\x5c may not stand in a name", ANY, "a\\x5cb"},
    {"a..b", "the name has an empty label", ANY, NULL},
    {".", "the name is empty", ANY, NULL},
    {A64 ".example", "the name has a label of more than 63 characters", ANY, NULL},
    {A50 "." A50 "." A50 "." A50 "." A50 ".example", "the name is longer than 253 characters", ANY,
     A50 "." A50 "." A50 "." CUT},
    {"a\xff.example", "the name is not UTF-8", ANY, "a\\xff.example"},
    {"\xe2\x98\xba.example",
     "not a valid internationalised name (IDNA2008): string contains a disallowed character", ANY,
     "\\xe2\\x98\\xba.example"},
    {"*\xc3\xbc.example", "a label with '*' must otherwise be ASCII", ANY, "*\\xc3\\xbc.example"},
    {"h:", "the port is empty", ANY, NULL},
    {"h:ssh", "the port is not a decimal number", ANY, NULL},
    {"h:80:90", "more than one ':'", ANY, NULL},
    /* an address or a network */
    {"192.0.2.1", "an address needs a port", ANY, NULL},
    {"192.0.2.01:53",
     "a host that ends in a number must be an IPv4 address of four decimal numbers (no octal, hex "
     "or short form)",
     ANY, NULL},
    {"192.0.2.0/33:443", "the prefix length is not a number from 0 to 32", ANY, NULL},
    {"192.0.2.0:443/24", "the prefix length of a network stands before its port", ANY, NULL},
    {"192.0.2.1/24:443", "the address has bits beyond /24: the network is 192.0.2.0/24", ANY, NULL},
    {"192.0.2.1:0", "the port is not from 1 to 65535", ANY, NULL},
    {"2001:db8::1:443", "an IPv6 address stands in brackets", ANY, NULL},
    {"[2001:db8::1]", "an address needs a port", IPV6, NULL},
    {"[2001:db8::1", "'[' without ']'", IPV6, NULL},
    {"[2001:db8::1]443", "only '/LEN' and ':PORT' may follow the ']'", IPV6, NULL},
    {"[2001:db8::/32]/32:443", "the network has two prefix lengths", IPV6, NULL},
    {"[2001:db8::/129]:443", "the prefix length is not a number from 0 to 128", IPV6, NULL},
    {"[2001:db8::1]/32:443", "the address has bits beyond /32: the network is [2001:db8::/32]",
     IPV6, NULL},
    {"[192.0.2.1]:443", "not an IPv6 address between the brackets", IPV6, NULL},
    {"[fe80::1%eth0]:443", "an IPv6 address with a zone id is refused", IPV6, NULL},
    {"[2001:db8::1]:", "the port is empty", IPV6, NULL},
    {"[2001:db8::1]:065", "the port has a leading zero", IPV6, NULL},
    /* a unix socket */
    {"/run/", "the path of a socket does not end in '/'", UNIX, NULL},
    {"/run//s", "the path has an empty component ('//')", UNIX, NULL},
    {"/run/../s", "the path has a '.' or '..' component", UNIX, NULL},
    {"/run/" A100 "aaa", "the path of a unix socket is longer than 107 bytes", UNIX, NULL},
    {"@", "the name after '@' is empty", ABSTRACT, NULL},
    {"@" A100 "aaaaaaaa", "the name of an abstract socket is longer than 107 bytes", ABSTRACT,
     NULL},
    /* what no form has */
    {"a\x1b[2J", "the word has white space or a control character", PLAIN, "a\\x1b[2J"},
    {"/run/\x7f", "the word has white space or a control character", PLAIN, "/run/\\x7f"},
};

/* A whole text of a source, and the whole message after "SOURCE". */
struct text_case {
    const char *text;
    size_t len;
    const char *message;
};

#define TEXT(text) text, sizeof(text) - 1

static const struct text_case texts[] = {
    {TEXT("a\nb\0c d"), ":2: 'b\\x00c': the word has a NUL byte; expected " PLAIN},
    {TEXT("\0"), ":1: '\\x00': the word has a NUL byte; expected " PLAIN},
    {TEXT("h\0t\0t\0p\0"),
     ":1: 'h\\x00t\\x00t\\x00p\\x00': the word has a NUL byte; expected " PLAIN},
    {TEXT("a # b\0c\n"), ":1: '# b\\x00c': a NUL byte in a comment; expected plain text"},
    {TEXT("\xef\xbb\xbf# first\na"),
     ":1: '\\xef\\xbb\\xbf#': the text begins with a byte order mark; expected plain UTF-8 without "
     "one"},
    {TEXT("\xff\xfe"
          "a\0"),
     ":1: '\\xff\\xfea\\x00': the text begins with a byte order mark; expected plain UTF-8 without "
     "one"},
    {TEXT("\xfe\xff\0a"),
     ":1: '\\xfe\\xff\\x00a': the text begins with a byte order mark; expected plain UTF-8 without "
     "one"},
    {TEXT("a\r\n# b\rc\n"),
     ":2: '# b\\x0dc': a carriage return inside of a line; expected lines that end in LF or CR LF"},
    {TEXT("a\rb\r"),
     ":1: 'a\\x0db\\x0d': a carriage return inside of a line; expected lines that end in LF or CR "
     "LF"},
    /* lines are counted by LF, whatever stands on them */
    {TEXT("# x\r\n\r\n\t\r\n a #!!\r\n !\r\n"),
     ":5: '!': '!' may not stand in a name; expected " ANY},
    {TEXT("a\n\n\n! b\n"), ":4: '!': '!' may not stand in a name; expected " ANY},
    {TEXT("a\v\f!"), ":1: '!': '!' may not stand in a name; expected " ANY},
};

/* Messages that need a text made for them: all kept here for test_every_error_has_a_case. */
static char made[32][ERROR_TEXT_MAX];
static size_t made_count;

static void keep(const char *message)
{
    assert_true(made_count < ARRAY_LEN(made));
    copy_string(made[made_count++], sizeof(made[0]), message);
}

static void expect(const char *source, const char *text, size_t len, const char *message)
{
    struct error e = {""};
    struct policy p;

    policy_init(&p);
    if (policy_parse(&p, source, text, len, &e) >= 0)
        fail_msg("no error instead of: %s", message);
    assert_string_equal(e.text, message);
    policy_free(&p);
}

static void word_message(const struct word_case *c, const char *place, char out[ERROR_TEXT_MAX])
{
    (void)snprintf(out, ERROR_TEXT_MAX, "%s: '%s': %s; expected %s", place,
                   c->shown ? c->shown : c->word, c->reason, c->expected);
}

static void test_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        char text[1024], message[ERROR_TEXT_MAX];

        word_message(&words[i], "-e:1", message);
        expect("-e", words[i].word, strlen(words[i].word), message);
        (void)snprintf(text, sizeof(text), "# %s\r\n\nok.example %s # and\nmore.example\n",
                       words[i].word, words[i].word);
        word_message(&words[i], "./ci.policy:3", message);
        expect("./ci.policy", text, strlen(text), message);
    }
}

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char message[ERROR_TEXT_MAX];

        (void)snprintf(message, sizeof(message), "./ci.policy%s", texts[i].message);
        expect("./ci.policy", texts[i].text, texts[i].len, message);
    }
}

/* What looks like an error and is none. */
static void test_twins(void **state)
{
    static const struct text_case cases[] = {
        {TEXT("# \xff\xfe not UTF-8, in a comment\na"), NULL},
        {TEXT("a\r\nb # c\r\n\r\nd\r"), NULL},
        {TEXT("/run/\xff"), NULL}, /* a path is bytes */
        {TEXT("https://h/\xff"), NULL},
        {TEXT(""), NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error e = {""};
        struct policy p;

        policy_init(&p);
        if (policy_parse(&p, "-e", cases[i].text, cases[i].len, &e) != 0)
            fail_msg("%s", e.text);
        policy_free(&p);
    }
}

/* What is well-formed, and cannot be enforced. */
static void test_unenforced(void **state)
{
#define PORT_53                                                                                    \
    "port 53 of the host's loopback is a resolver that answers for any name; expected NAME for "   \
    "each name that may be resolved, without a server"
#define SPELLING                                                                                   \
    "another spelling of the host's loopback, which is not taken for it; expected 127.0.0.1:PORT " \
    "or [::1]:PORT"
    static const struct {
        const char *word, *message;
    } cases[] = {
        {"ns.example:53", "a DNS server is named by its address, so that the names that it is "
                          "asked for are judged; expected ADDRESS:53, and each NAME"},
        {"*.example:53", "a DNS server is named by its address, so that the names that it is "
                         "asked for are judged; expected ADDRESS:53, and each NAME"},
        {"127.0.0.53:53", PORT_53},
        {"[::1]:53", PORT_53},
        {"0.0.0.0:80", SPELLING},
        {"[::]:80", SPELLING},
        {"[::ffff:127.0.0.1]:80", SPELLING},
        {"127.0.0.1:80", NULL},
        {"[::1]:80", NULL},
        {"192.0.2.53:53", NULL},
        {"0.0.0.0/0:80", NULL},
        {"a.example:54", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[128], message[ERROR_TEXT_MAX];
        int n = snprintf(text, sizeof(text), "a # first\n%s b", cases[i].word);
        struct error e = {""};
        struct policy p;

        policy_init(&p);
        assert_int_equal(policy_parse(&p, "./ci.policy", text, (size_t)n, &e), 0);
        assert_int_equal(policy_check_enforced(&p, &e), cases[i].message ? -ENOTSUP : 0);
        policy_free(&p);
        if (!cases[i].message)
            continue;
        (void)snprintf(message, sizeof(message), "./ci.policy:2: '%s': %s", cases[i].word,
                       cases[i].message);
        assert_string_equal(e.text, message);
        keep(message);
    }
#undef PORT_53
#undef SPELLING
}

static void test_long_word(void **state)
{
    static char word[POLICY_WORD_MAX + 2];
    char message[ERROR_TEXT_MAX];

    (void)state;
    memset(word, 'a', POLICY_WORD_MAX + 1);
    (void)snprintf(message, sizeof(message),
                   "-e:1: '%.156s...': the word is longer than 4096 bytes; expected " PLAIN, word);
    expect("-e", word, POLICY_WORD_MAX + 1, message);
    keep(message);
}

static void test_many_words(void **state)
{
    static char text[2 * POLICY_ENDPOINTS_MAX + 1];
    static const char message[] =
        "./ci.policy:100001: 'b': the policy has more than 100000 endpoints; expected at most that "
        "in all sources together";

    (void)state;
    for (size_t i = 0; i < 2 * (size_t)POLICY_ENDPOINTS_MAX; i += 2)
        memcpy(text + i, "a\n", 2);
    text[sizeof(text) - 1] = 'b';
    expect("./ci.policy", text, sizeof(text), message);
    keep(message);
}

static void test_long_text(void **state)
{
    static char text[POLICY_TEXT_MAX + 1];
    static const char message[] =
        "CIJAIL_ENDPOINTS: the policy is longer than 4194304 bytes; expected at most that in all "
        "sources together";

    (void)state;
    memset(text, ' ', sizeof(text));
    expect("CIJAIL_ENDPOINTS", text, sizeof(text), message);
    keep(message);
}

/* The error of a command line; the policy file is ./ci.policy in a folder of its own. */
static void expect_of_options(char **argv, const char *message)
{
    struct error e = {""};
    struct options options;
    enum options_result result;
    struct policy p;
    int argc = 0;

    while (argv[argc])
        argc++;
    policy_init(&p);
    if (options_parse(argc, argv, &options, &p, &result, &e) >= 0)
        fail_msg("no error instead of: %s", message);
    assert_string_equal(e.text, message);
    policy_free(&p);
}

#define EXPECT_OF_OPTIONS(message, ...)                                                            \
    expect_of_options((char *[]){(char *)(uintptr_t) "cijail", __VA_ARGS__, NULL}, message)

struct folder {
    int back; /* where the tests were started */
    char path[64];
};

static int enter_folder(void **state)
{
    static struct folder folder;

    copy_string(folder.path, sizeof(folder.path), "/tmp/cijail-test-errors.XXXXXX");
    (void)unsetenv("CIJAIL_ENDPOINTS");
    folder.back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    *state = &folder;
    return folder.back >= 0 && mkdtemp(folder.path) && chdir(folder.path) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    struct folder *folder = *state;
    int r;

    (void)unlink("ci.policy");
    (void)unlink("large.policy");
    (void)unsetenv("CIJAIL_ENDPOINTS");
    r = fchdir(folder->back);
    (void)close(folder->back);
    return r == 0 ? rmdir(folder->path) : -1;
}

static void write_file(const char *path, const char *text, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, text, len), 0);
    (void)close(fd);
}

static void test_sources(void **state)
{
    static char text[] = "# a policy\r\nok.example\r\n  a..b # here\r\n";
#define EMPTY_LABEL ": 'a..b': the name has an empty label; expected " ANY

    (void)state;
    write_file("ci.policy", text, sizeof(text) - 1);
    EXPECT_OF_OPTIONS("./ci.policy:3" EMPTY_LABEL, "-p", "./ci.policy", "true");
    EXPECT_OF_OPTIONS("./ci.policy:3" EMPTY_LABEL, "-e", "ok.example", "--policy=./ci.policy",
                      "true");
    EXPECT_OF_OPTIONS("-e:1" EMPTY_LABEL, "-e", "ok.example", "-e", "ok.example a..b", "true");
    EXPECT_OF_OPTIONS("-e:2" EMPTY_LABEL, "-p", "/dev/null", "-e", "# one\na..b", "true");
    (void)setenv("CIJAIL_ENDPOINTS", "\n\n a..b", 1); /* read first */
    EXPECT_OF_OPTIONS("CIJAIL_ENDPOINTS:3" EMPTY_LABEL, "-e", "b..c", "true");
}

static void test_files(void **state)
{
    static const char missing[] = "./missing.policy: the file cannot be read: No such file or "
                                  "directory; expected a file of endpoints";
    static const char large[] = "./large.policy: the file is longer than 4194304 bytes; expected "
                                "at most that in all sources together";
    static const char preset[] = "-p npm\\x1b: there is no preset of that name; expected one "
                                 "that cijailctl show lists, or a file, named with a slash: "
                                 "./npm\\x1b";

    (void)state;
    EXPECT_OF_OPTIONS(missing, "-p", "./missing.policy", "true");
    keep(missing);
    EXPECT_OF_OPTIONS("./: the file cannot be read: Is a directory; expected a file of endpoints",
                      "-p", "./", "true");
    EXPECT_OF_OPTIONS("/dev/null/x: the file cannot be read: Not a directory; expected a file of "
                      "endpoints",
                      "-p", "/dev/null/x", "true");
    write_file("large.policy", "", 0);
    assert_int_equal(truncate("large.policy", (off_t)POLICY_TEXT_MAX + 1), 0);
    EXPECT_OF_OPTIONS(large, "-p", "./large.policy", "true");
    keep(large);
    EXPECT_OF_OPTIONS("/dev/zero: the file is longer than 4194304 bytes; expected at most that in "
                      "all sources together",
                      "-p", "/dev/zero", "true");
    EXPECT_OF_OPTIONS(preset, "-p", "npm\x1b", "true");
    keep(preset);
}

/* Errors of these sources that no text of a policy can come to. */
static const struct unreachable {
    const char *format;
    const char *why;
} unreachable[] = {
    {"the word is empty", "a word has a byte at least"},
    {"not a URL", "only what has '://' is taken for one"},
    {"not an IP address", "what url_canon_host() took is one"},
    {"not an absolute URL: it has no scheme", "find_scheme() comes first"},
    {"the scheme of the URL is neither http nor https", "policy_word_url() comes first"},
    {"'//' is missing after the scheme of the URL", "only what has '://' is taken for one"},
    {"the URL is longer than %d bytes", "of a request"},
    {"the port is missing", "of a CONNECT; a URL has a default"},
    {"the request target does not begin with '/'", "of a request"},
    {"a space in the URL", "ends the word"},
    {"a control character (\\x%02x) in the URL", "check_bytes() comes first"},
    {"path and query are longer than %d bytes", "a word of 4096 bytes makes no more than thrice"},
    {"a NUL byte in the name", "check_bytes() comes first"},
    {"out of memory", ""},
};

static bool has_case(const char *format)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        char message[ERROR_TEXT_MAX];

        word_message(&words[i], "-e:1", message);
        if (error_strings_match(format, message))
            return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (error_strings_match(format, texts[i].message))
            return true;
    for (size_t i = 0; i < made_count; i++)
        if (error_strings_match(format, made[i]))
            return true;
    return false;
}

/* Runs last: the cases before it have filled made[]. */
static void test_every_error_has_a_case(void **state)
{
    static const char *const files[] = {
        "src/policy.c",      "src/policy_word.c", "src/policy_url.c", "src/policy_address.c",
        "src/policy_file.c", "src/name.c",        "src/url.c",        "src/url_target.c"};
    static struct error_strings strings;
    bool used[ARRAY_LEN(unreachable)] = {false};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        error_strings_read(files[i], &strings);
        for (size_t k = 0; k < strings.count; k++) {
            bool known = has_case(strings.formats[k]);

            for (size_t n = 0; n < ARRAY_LEN(unreachable); n++)
                if (strcmp(strings.formats[k], unreachable[n].format) == 0)
                    known = used[n] = true;
            if (!known)
                fail_msg("%s: no case for the error \"%s\"", files[i], strings.formats[k]);
        }
    }
    for (size_t n = 0; n < ARRAY_LEN(unreachable); n++)
        if (!used[n])
            fail_msg("no source has the error \"%s\"", unreachable[n].format);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_unenforced),
        cmocka_unit_test(test_long_word),
        cmocka_unit_test(test_many_words),
        cmocka_unit_test(test_long_text),
        cmocka_unit_test_setup_teardown(test_sources, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_files, enter_folder, leave_folder),
        cmocka_unit_test(test_every_error_has_a_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
