/* test_java_store.c: the trust store of Java, as libcrypto reads it; Java itself reads it in
 * tests/e2e/34-java.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdio.h>
#include <string.h>

#include "src/java_store.h"
#include "src/util.h"

#define TRUSTED_KEY_USAGE "2.16.840.1.113894.746875.1.1"

/* A certificate of this name as PEM text; the caller's to free. */
static char *make_pem(const char *name, X509 **x)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    char *data, *text;

    *x = X509_new();
    assert_true(key && bio && *x);
    assert_true(X509_set_version(*x, X509_VERSION_3));
    assert_true(ASN1_INTEGER_set(X509_get_serialNumber(*x), 7));
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(*x), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(*x), 3600));
    assert_true(X509_NAME_add_entry_by_txt(X509_get_subject_name(*x), "CN", MBSTRING_ASC,
                                           (const unsigned char *)name, -1, -1, 0));
    assert_true(X509_set_pubkey(*x, key));
    assert_true(X509_sign(*x, key, EVP_sha256()) > 0);
    assert_true(PEM_write_bio_X509(bio, *x));
    size_t len = (size_t)BIO_get_mem_data(bio, &data);
    text = xstrndup(data, len);
    BIO_free(bio);
    EVP_PKEY_free(key);
    return text;
}

/* The bags of a store, which has no MAC; what is behind the store is an error. */
static STACK_OF(PKCS12_SAFEBAG) * read_store(const unsigned char *data, size_t len)
{
    const unsigned char *p = data;
    PKCS12 *store = d2i_PKCS12(NULL, &p, (long)len);
    STACK_OF(PKCS12_SAFEBAG) * bags;

    assert_non_null(store);
    assert_ptr_equal(p, data + len);
    assert_false(PKCS12_mac_present(store));
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(store);
    assert_non_null(safes);
    assert_int_equal(sk_PKCS7_num(safes), 1);
    bags = PKCS12_unpack_p7data(sk_PKCS7_value(safes, 0));
    assert_non_null(bags);
    sk_PKCS7_pop_free(safes, PKCS7_free);
    PKCS12_free(store);
    return bags;
}

static STACK_OF(PKCS12_SAFEBAG) * finish(struct java_store *s)
{
    size_t len;
    const unsigned char *data = java_store_finish(s, &len);
    STACK_OF(PKCS12_SAFEBAG) *bags = read_store(data, len);

    java_store_free(s);
    return bags;
}

static void free_bags(STACK_OF(PKCS12_SAFEBAG) * bags)
{
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
}

static void expect_bag(const PKCS12_SAFEBAG *bag, X509 *x, const char *alias)
{
    ASN1_OBJECT *usage = OBJ_txt2obj(TRUSTED_KEY_USAGE, 1);
    const STACK_OF(X509_ATTRIBUTE) *attributes = PKCS12_SAFEBAG_get0_attrs(bag);
    X509 *got = PKCS12_SAFEBAG_get1_cert(bag);
    int at = X509at_get_attr_by_OBJ(attributes, usage, -1);
    char *name = PKCS12_get_friendlyname((PKCS12_SAFEBAG *)(uintptr_t)bag);

    assert_int_equal(PKCS12_SAFEBAG_get_nid(bag), NID_certBag);
    assert_int_equal(X509_cmp(got, x), 0);
    assert_string_equal(name, alias);
    assert_true(at >= 0);
    ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(X509at_get_attr(attributes, at), 0);
    assert_int_equal(ASN1_TYPE_get(value), V_ASN1_OBJECT);
    assert_int_equal(OBJ_obj2nid(value->value.object), NID_anyExtendedKeyUsage);
    OPENSSL_free(name);
    X509_free(got);
    ASN1_OBJECT_free(usage);
}

static void test_anchors(void **state)
{
    X509 *a, *b;
    char *pem_a = make_pem("a", &a), *pem_b = make_pem("b", &b);
    char *text = xasprintf("# a comment\n%s\r\n%.70s\n%s", pem_a, pem_a, pem_b);
    struct java_store *s = java_store_new();

    (void)state;
    java_store_add(s, text, strlen(text)); /* of the second nothing is whole: it swallows b */
    java_store_add(s, pem_b, strlen(pem_b));
    STACK_OF(PKCS12_SAFEBAG) *bags = finish(s);
    assert_int_equal(sk_PKCS12_SAFEBAG_num(bags), 2);
    expect_bag(sk_PKCS12_SAFEBAG_value(bags, 0), b, "00000002");
    expect_bag(sk_PKCS12_SAFEBAG_value(bags, 1), a, "00000001");
    free_bags(bags);
    free(text);
    free(pem_a);
    free(pem_b);
    X509_free(a);
    X509_free(b);
}

/* What is no certificate is left out; what follows is not. */
static void test_left_out(void **state)
{
    static const char *const bad[] = {
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMAID\n-----END CERTIFICATE-----\n", /* longer than it is */
        "-----BEGIN CERTIFICATE-----\nMAIDBAU=\n-----END CERTIFICATE-----\n", /* shorter */
        "-----BEGIN CERTIFICATE-----\nBAA=\n-----END CERTIFICATE-----\n",     /* no SEQUENCE */
        "-----BEGIN CERTIFICATE-----\nMIAA\n-----END CERTIFICATE-----\n",     /* no length */
        "-----BEGIN CERTIFICATE-----\nMA!A\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMAIA",
        "-----BEGIN CERTIFICATE-----",
    };
    X509 *x;
    char *pem = make_pem("x", &x);
    struct java_store *s = java_store_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *text = xasprintf("%s%s", bad[i], i < 7 ? pem : "");
        java_store_add(s, text, strlen(text));
        free(text);
    }
    STACK_OF(PKCS12_SAFEBAG) *bags = finish(s);
    assert_int_equal(sk_PKCS12_SAFEBAG_num(bags), 7);
    for (int i = 0; i < 7; i++) {
        char alias[16];
        (void)snprintf(alias, sizeof(alias), "%08x", 7 - i);
        expect_bag(sk_PKCS12_SAFEBAG_value(bags, i), x, alias);
    }
    free_bags(bags);
    bags = finish(java_store_new()); /* none at all */
    assert_int_equal(sk_PKCS12_SAFEBAG_num(bags), 0);
    free_bags(bags);
    free(pem);
    X509_free(x);
}

/* A long one, so that lengths take two, three and four octets; and one that is too long. */
static void test_sizes(void **state)
{
    static const size_t sizes[] = {100, 127, 128, 255, 256, 65000, 65532, 65533};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        size_t inner = sizes[i], n = 4 + inner;
        unsigned char *der = xcalloc(1, n + 1);
        char *base64 = xcalloc(1, n * 2);
        struct java_store *s = java_store_new();
        size_t head = 4, len;

        der[0] = 0x30;
        der[1] = 0x82;
        der[2] = (unsigned char)(inner >> 8);
        der[3] = (unsigned char)inner;
        (void)EVP_EncodeBlock((unsigned char *)base64, der, (int)(head + inner));
        char *text = xasprintf("-----BEGIN CERTIFICATE-----%s-----END CERTIFICATE-----", base64);
        for (int j = 0; j < 300; j++)
            java_store_add(s, text, strlen(text));
        const unsigned char *data = java_store_finish(s, &len), *p = data;
        long body;
        int tag, class;
        assert_int_equal(ASN1_get_object(&p, &body, &tag, &class, (long)len), V_ASN1_CONSTRUCTED);
        assert_int_equal((size_t)(p - data) + (size_t)body, len);
        if (n <= 65536)
            assert_true(len > 300 * n);
        else
            assert_true(len < 100);
        java_store_free(s);
        free(text);
        free(base64);
        free(der);
    }
}

static void expect_options(const struct java_stores *s, const char *before, const char *after)
{
    if (before)
        assert_int_equal(setenv("JAVA_TOOL_OPTIONS", before, 1), 0);
    else
        assert_int_equal(unsetenv("JAVA_TOOL_OPTIONS"), 0);
    java_stores_set_environment(s, "192.0.0.1", 3128);
    if (after)
        assert_string_equal(getenv("JAVA_TOOL_OPTIONS"), after);
    else
        assert_null(getenv("JAVA_TOOL_OPTIONS"));
}

static void test_environment(void **state)
{
#define OPTIONS                                                                                    \
    "-Djavax.net.ssl.trustStore=/b/cacerts -Djavax.net.ssl.trustStoreType=PKCS12 "                 \
    "-Djavax.net.ssl.trustStorePassword=changeit -Dhttp.proxyHost=192.0.0.1 "                      \
    "-Dhttp.proxyPort=3128 -Dhttps.proxyHost=192.0.0.1 -Dhttps.proxyPort=3128 "                    \
    "-Dhttp.nonProxyHosts=localhost|127.*|[::1]"
    struct java_stores none = {0}, odd = {.paths = {"/a b/cacerts"}, .count = 1},
                       two = {.paths = {"/a b/cacerts", "/b/cacerts"}, .count = 2};

    (void)state;
    expect_options(&none, NULL, NULL);
    expect_options(&none, "-Xmx1g", "-Xmx1g");
    expect_options(&odd, "-Xmx1g", "-Xmx1g");
    expect_options(&two, NULL, OPTIONS);
    expect_options(&two, "", OPTIONS);
    expect_options(&two, "-Xmx1g", "-Xmx1g " OPTIONS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anchors),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
