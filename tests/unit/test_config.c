/* The readers of configuration files: what each finds, and what it passes over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "preset/config.h"
#include "src/util.h"

/* "LINE path=value\n" for each. */
struct found {
    char text[8192];
};

static void each(void *arg, const char *path, const char *value, unsigned line)
{
    struct found *f = arg;
    size_t used = strlen(f->text);

    (void)snprintf(f->text + used, sizeof(f->text) - used, "%u %s=%s\n", line, path, value);
}

typedef void reader(const char *text, size_t len, config_cb *each, void *arg);

static void expect(reader *read, const char *text, const char *expected)
{
    size_t len = strlen(text);
    struct found f = {""};
    char *exact = xmalloc(len); /* so that ASan sees a read past the end */

    memcpy(exact, text, len);
    read(exact, len, each, &f);
    free(exact);
    assert_string_equal(f.text, expected);
}

static void test_npmrc(void **state)
{
    (void)state;
    expect(config_npmrc, "", "");
    expect(config_npmrc,
           "; no\n#registry=https://no.example/\nregistry = https://a.example/ ; yes\r\n"
           "@s:registry=\"https://b.example/;x\" # c\n//a.example/:_authToken=x\nalone\n=value\n",
           "3 registry=https://a.example/\n4 @s:registry=https://b.example/;x\n"
           "5 //a.example/:_authtoken=x\n7 =value\n");
    expect(config_npmrc, "[section]\nregistry=https://a.example/",
           "2 section.registry=https://a.example/\n");
}

static void test_pip(void **state)
{
    (void)state;
    expect(
        config_pip,
        "[global]\nindex_url: https://a.example/simple\nextra-index-url =\n  https://b.example/\n"
        "  # no\n\thttps://c.example/\n[install]\nfind-links = https://d.example/#x\n  [x]\n",
        "2 global.index-url=https://a.example/simple\n4 global.extra-index-url=https://b.example/\n"
        "6 global.extra-index-url=https://c.example/\n"
        "8 install.find-links=https://d.example/#x\n9 install.find-links=[x]\n");
    expect(config_pip, "  https://a.example/\n[x\nindex-url = y\n",
           "1 https=//a.example/\n3 index-url=y\n");
    /* keys may be indented; what goes on with one is indented deeper */
    expect(config_pip,
           "[global]\n    index-url = https://a.example/\n    extra-index-url =\n\n  # c\n"
           "        https://b.example/\n     https://c.example/\n    find-links = d\n"
           "  trusted-host = e\n    f\n  [install]\n  index-url: g\n",
           "2 global.index-url=https://a.example/\n6 global.extra-index-url=https://b.example/\n"
           "7 global.extra-index-url=https://c.example/\n8 global.find-links=d\n"
           "9 global.trusted-host=e\n10 global.trusted-host=f\n12 install.index-url=g\n");
}

static void test_git_and_env(void **state)
{
    (void)state;
    expect(config_git, "[url \"https://a.example/[x]\"]\n\tinsteadOf = https://github.com/\n",
           "2 url \"https://a.example/[x]\".insteadof=https://github.com/\n");
    expect(config_git,
           "[URL \"https://A.example/[x]\"] insteadOf = https://github.com/ ; c\n[a] # c\nB = d]\n"
           "[c \"\\\"]\"]d=e\n[open f = g\n",
           "1 url \"https://A.example/[x]\".insteadof=https://github.com/\n3 a.b=d]\n"
           "4 c \"\\\"]\".d=e\n");
    expect(config_env, "GOPROXY=https://a.example,direct\nGOFLAGS=-a # b\n[x]\n",
           "1 GOPROXY=https://a.example,direct\n2 GOFLAGS=-a # b\n");
}

static void test_toml(void **state)
{
    (void)state;
    expect(config_toml,
           "[source.crates-io]\nreplace-with = \"m\" # c\n[source.\"m.n\"]\nregistry='r'\n",
           "2 source.crates-io.replace-with=m\n4 source.m.n.registry=r\n");
    expect(config_toml,
           "a.b = \"1\"\n[registries]\nx = { index = \"i\", t = 1, y.z = '2' }\nl = [ \"3\",\n # "
           "c\n '4' ]\n",
           "1 a.b=1\n3 registries.x.index=i\n3 registries.x.y.z=2\n4 registries.l=3\n6 "
           "registries.l=4\n");
    /* strings of several lines hide nothing, and are no values */
    expect(config_toml, "a = \"\"\"\n[b]\nc = \"1\"\n\\\"\"\"\"\nd = '''x'''\ne = \"2\"\n",
           "6 e=2\n");
    expect(config_toml, "a = \"x\\u0041\"\nb = \"x\\\"y\\\\\"\nc = \"open\nd = 'e'\n",
           "2 b=x\"y\\\n4 d=e\n");
    expect(config_toml, "[a\nb = 'c'\n[[d]]\ne = 'f'\n = 'g'\n[]\nh = 'i'\n",
           "2 a.b=c\n4 d.e=f\n7 ?.h=i\n");
    expect(config_toml, "a = [[[[[[[[[[[[[[[[[[[[\"x\"]]]]]]]]]]]]]]]]]]]]\nb = 'c'\n", "2 b=c\n");
}

#define LEFT_OUT_ENTITY "1 ?left-out=a value with an entity that is not expanded\n"
#define NO_XML "1 ?left-out=what comes from here on: a DOCTYPE, or no XML\n"

static void test_xml(void **state)
{
    static const char *const no_numbers[] = {"<s><u>&#;</u></s>",    "<s><u>&#x;</u></s>",
                                             "<s><u>&#1f;</u></s>",  "<s><u>&#0;</u></s>",
                                             "<s><u>&#300;</u></s>", "<s><u>&#x0000061;</u></s>",
                                             "<s><u>&#97</u></s>",   "<s><u>&#-1;</u></s>"};

    (void)state;
    expect(config_xml,
           "<?xml version='1'?>\n<s xmlns='u'><!-- <m>no</m> -->\n<x:m a='>'>\n "
           "<u>h&amp;i</u><o><![CDATA[<*>]]>"
           "</o><b/></x:m></s>\n",
           "4 s/m/u=h&i\n4 s/m/o=<*>\n4 s/m/b=\n3 s/m=\n2 s=\n");
    expect(config_xml, "<s><u>&#x61;&#98;&#X63;</u><v>c</v></s>",
           LEFT_OUT_ENTITY "1 s/v=c\n1 s=\n");
    expect(config_xml, "<s>\n<u>a&other;b</u><v>&#x61;&#98;&#x3A;</v></s>",
           "2 ?left-out=a value with an entity that is not expanded\n2 s/v=ab:\n1 s=\n");
    for (size_t i = 0; i < ARRAY_LEN(no_numbers); i++)
        expect(config_xml, no_numbers[i], LEFT_OUT_ENTITY "1 s=\n");
    expect(config_xml, "<!DOCTYPE s [<!ENTITY e 'x'>]><s><u>y</u></s>", NO_XML);
    expect(config_xml, "<s><u>y", "");
    expect(config_xml, "</s><u>y</u>", NO_XML);
    expect(config_xml, "<s a='<u>y</u></s>", NO_XML);
}

static void test_yaml(void **state)
{
    (void)state;
    expect(
        config_yaml,
        "---\n# no\n:sources:\n- https://a.example/ # c\n  - 'https://b.example/'\n:verbose: true\n"
        "BUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/: \"https://c.example/\"\nmap:\n  in: side\n- no\n",
        "4 :sources=https://a.example/\n5 :sources=https://b.example/\n6 :verbose=true\n"
        "7 BUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/=https://c.example/\n10 =no\n");
}

static void test_apt(void **state)
{
    (void)state;
    expect(
        config_apt_list,
        "# deb http://no.example x\ndeb [ arch=amd64 signed-by=/x y=z ] http://a.example/d s m\r\n"
        "deb-src\thttps://b.example/d s # m\nrpm http://no.example/\ndeb [open "
        "http://no.example/\ndeb",
        "2 uri=http://a.example/d\n3 uri=https://b.example/d\n");
    expect(config_apt_sources,
           "Types: deb\nuris: http://a.example/d http://b.example/d\n# c\n  "
           "http://c.example/d\nSuites: s\n"
           " http://no.example/\n\nURIs: http://no.example/\nEnabled: No\n\nURIs:\n "
           "http://d.example/\n",
           "2 uri=http://a.example/d\n2 uri=http://b.example/d\n4 uri=http://c.example/d\n"
           "12 uri=http://d.example/\n");
}

static void test_composer(void **state)
{
    (void)state;
    expect(config_composer,
           "{\"repositories\": [\n{\"type\": \"composer\", \"url\": \"https://a.example\"},\n"
           "{\"type\": \"vcs\", \"url\": \"https://no.example\"}, {\"packagist.org\": false}]}",
           "2 composer=https://a.example\n3 disabled=packagist.org\n");
    expect(config_composer,
           "{\"repositories\": {\"packagist\": false, \"x\": {\"type\": \"composer\", \"url\": "
           "\"u\"}}}",
           "1 disabled=packagist\n1 composer=u\n");
    expect(config_composer, "{\"repositories\": [1, null, [], {}]}", "");
    expect(config_composer, "[]", "");
    expect(config_composer, "{", "");
}

static char *repeated(char c, size_t n, const char *before, const char *after)
{
    char *middle = xmalloc(n + 1), *all;

    memset(middle, c, n);
    middle[n] = '\0';
    all = xasprintf("%s%s%s", before, middle, after);
    free(middle);
    return all;
}

/* What is too long is no value, whole: nothing is cut. */
static void test_bounds(void **state)
{
    char *longest = repeated('x', CONFIG_VALUE_SIZE, "a = ", "\nb = y\n");
    char *key = repeated('k', CONFIG_PATH_SIZE, "", " = v\nb = y\n");
    char *quoted = repeated('x', CONFIG_VALUE_SIZE, "a = \"", "\"\nb = 'y'\n");
    char *text = repeated('x', CONFIG_VALUE_SIZE, "<s>", "<u>y</u></s>");
    char tags[40 * 3 + 1];

    (void)state;
    expect(config_npmrc, longest, "2 b=y\n");
    expect(config_npmrc, key, "2 b=y\n");
    expect(config_toml, quoted, "2 b=y\n");
    expect(config_xml, text, "1 s/u=y\n");
    for (size_t i = 0; i < sizeof(tags) - 1; i++) /* deep */
        tags[i] = "<a>"[i % 3];
    tags[sizeof(tags) - 1] = '\0';
    expect(config_xml, tags, NO_XML);
    free(longest);
    free(key);
    free(quoted);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_npmrc),       cmocka_unit_test(test_pip),
        cmocka_unit_test(test_git_and_env), cmocka_unit_test(test_toml),
        cmocka_unit_test(test_xml),         cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_apt),         cmocka_unit_test(test_composer),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
