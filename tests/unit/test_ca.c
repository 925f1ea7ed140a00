/* test_ca.c: the jail's CA and its leaves: what stands in them, and that a TLS client would take
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "httpproxy/ca.h"
#include "httpproxy/limits.h"

static struct url_authority authority(const char *host, enum url_host_kind kind)
{
    struct url_authority a = {.kind = kind, .port = 443};

    (void)snprintf(a.host, sizeof(a.host), "%s", host);
    return a;
}

static X509 *leaf(struct ca *c, const char *host, enum url_host_kind kind)
{
    struct url_authority a = authority(host, kind);
    struct error e;
    X509 *x = ca_leaf(c, &a, &e);

    assert_non_null(x);
    return x;
}

/* What a client does: builds the chain to the root, for a TLS server of that name or address. */
static int verify(X509 *root, X509 *x, const char *host, const char *ip, time_t when)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();

    assert_int_equal(X509_STORE_add_cert(store, root), 1);
    assert_int_equal(X509_STORE_CTX_init(ctx, store, x, NULL), 1);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM_set_time(param, when);
    if (host)
        assert_int_equal(X509_VERIFY_PARAM_set1_host(param, host, 0), 1);
    if (ip)
        assert_int_equal(X509_VERIFY_PARAM_set1_ip_asc(param, ip), 1);
    int ok = X509_verify_cert(ctx);
    int err = ok == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return err;
}

static struct ca *make(void)
{
    struct error e;
    struct ca *c = ca_new(&e);

    assert_non_null(c);
    return c;
}

static void test_authority_fields(void **state)
{
    (void)state;
    struct ca *c = make();
    X509 *x = ca_certificate(c);
    char name[128];

    assert_int_equal(X509_get_version(x), X509_VERSION_3);
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof(name));
    assert_string_equal(name, "cijail CA (this jail only)");
    assert_int_equal(X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)), 0);
    assert_int_equal(X509_get_pathlen(x), 0);
    assert_true(X509_get_extension_flags(x) & EXFLAG_CA);
    assert_int_equal(X509_get_key_usage(x), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    assert_non_null(X509_get0_subject_key_id(x));
    int at = X509_get_ext_by_NID(x, NID_basic_constraints, -1);
    assert_true(at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(x, at)));
    at = X509_get_ext_by_NID(x, NID_key_usage, -1);
    assert_true(at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(x, at)));
    BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
    assert_int_equal(BN_num_bits(serial), 128);
    assert_false(BN_is_negative(serial));
    BN_free(serial);
    assert_int_equal(X509_verify(x, X509_get0_pubkey(x)), 1);
    ca_free(c);
}

/* Days from now, rounded towards zero. */
static int days(const ASN1_TIME *t)
{
    int day = 0;
    int sec = 0;

    assert_int_equal(ASN1_TIME_diff(&day, &sec, NULL, t), 1);
    return sec > 43200 ? day + 1 : sec < -43200 ? day - 1 : day;
}

static void test_validity(void **state)
{
    (void)state;
    struct ca *c = make();
    X509 *x = leaf(c, "a.example", URL_HOST_NAME);

    assert_int_equal(days(X509_get0_notBefore(ca_certificate(c))), -1);
    assert_int_equal(days(X509_get0_notAfter(ca_certificate(c))), 30);
    assert_int_equal(days(X509_get0_notBefore(x)), -1);
    assert_int_equal(days(X509_get0_notAfter(x)), 29);
    ca_free(c);
}

static void test_pem_is_the_certificate(void **state)
{
    (void)state;
    struct ca *c = make();
    size_t len;
    const char *pem = ca_pem(c, &len);
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    assert_int_equal(strlen(pem), len);
    assert_non_null(x);
    assert_int_equal(X509_cmp(x, ca_certificate(c)), 0);
    assert_null(strstr(pem, "PRIVATE"));
    X509_free(x);
    BIO_free(bio);
    ca_free(c);
}

static void test_leaf_verifies(void **state)
{
    (void)state;
    struct ca *c = make();
    X509 *x = leaf(c, "a.example", URL_HOST_NAME);
    time_t now = time(NULL);

    assert_int_equal(verify(ca_certificate(c), x, "a.example", NULL, now), X509_V_OK);
    assert_int_equal(verify(ca_certificate(c), x, "b.example", NULL, now),
                     X509_V_ERR_HOSTNAME_MISMATCH);
    assert_int_equal(verify(ca_certificate(c), x, "x.a.example", NULL, now),
                     X509_V_ERR_HOSTNAME_MISMATCH);
    assert_int_equal(verify(ca_certificate(c), x, "a.example", NULL, now + 40 * 86400),
                     X509_V_ERR_CERT_HAS_EXPIRED);
    struct ca *other = make();
    assert_int_not_equal(verify(ca_certificate(other), x, "a.example", NULL, now), X509_V_OK);
    ca_free(other);
    ca_free(c);
}

static void test_leaf_of_address(void **state)
{
    (void)state;
    struct ca *c = make();
    time_t now = time(NULL);

    X509 *x = leaf(c, "192.0.2.7", URL_HOST_IPV4);
    assert_int_equal(verify(ca_certificate(c), x, NULL, "192.0.2.7", now), X509_V_OK);
    assert_int_equal(verify(ca_certificate(c), x, NULL, "192.0.2.8", now),
                     X509_V_ERR_IP_ADDRESS_MISMATCH);
    x = leaf(c, "2001:db8::7", URL_HOST_IPV6);
    assert_int_equal(verify(ca_certificate(c), x, NULL, "2001:db8::7", now), X509_V_OK);
    ca_free(c);
}

static void test_leaf_fields(void **state)
{
    (void)state;
    struct ca *c = make();
    X509 *x = leaf(c, "a.example", URL_HOST_NAME);

    assert_int_equal(X509_get_key_usage(x), KU_DIGITAL_SIGNATURE);
    assert_int_equal(X509_get_extended_key_usage(x), XKU_SSL_SERVER);
    assert_false(X509_get_extension_flags(x) & EXFLAG_CA);
    assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(x),
                                           X509_get0_subject_key_id(ca_certificate(c))),
                     0);
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(x), ca_leaf_key(c)), 1);
    assert_int_not_equal(EVP_PKEY_eq(X509_get0_pubkey(x), X509_get0_pubkey(ca_certificate(c))), 1);
    ca_free(c);
}

/* A name too long for a CN stands in the SAN alone, which is then critical. */
static void test_leaf_of_long_name(void **state)
{
    static const char host[] = "a-label-of-a-good-length.a-label-of-a-good-length."
                               "a-label-of-a-good-length.a-label-of-a-good-length.example";
    (void)state;
    struct ca *c = make();
    X509 *x = leaf(c, host, URL_HOST_NAME);

    assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(x)), 0);
    int at = X509_get_ext_by_NID(x, NID_subject_alt_name, -1);
    assert_true(at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(x, at)));
    assert_int_equal(verify(ca_certificate(c), x, host, NULL, time(NULL)), X509_V_OK);
    x = leaf(c, "short.example", URL_HOST_NAME);
    assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(x)), 1);
    ca_free(c);
}

static void test_cache(void **state)
{
    (void)state;
    struct ca *c = make();
    X509 *first = leaf(c, "a.example", URL_HOST_NAME);

    assert_ptr_equal(leaf(c, "a.example", URL_HOST_NAME), first);
    assert_int_equal(ca_cached(c), 1);
    for (int i = 0; i < LIMIT_LEAVES + 10; i++) {
        char host[32];
        (void)snprintf(host, sizeof(host), "h%d.example", i);
        (void)leaf(c, host, URL_HOST_NAME);
    }
    assert_int_equal(ca_cached(c), LIMIT_LEAVES);
    ca_free(c);
}

static void test_each_ca_is_its_own(void **state)
{
    (void)state;
    struct ca *a = make();
    struct ca *b = make();

    assert_int_not_equal(
        EVP_PKEY_eq(X509_get0_pubkey(ca_certificate(a)), X509_get0_pubkey(ca_certificate(b))), 1);
    assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(ca_certificate(a)),
                                          X509_get0_serialNumber(ca_certificate(b))),
                         0);
    ca_free(a);
    ca_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_authority_fields),       cmocka_unit_test(test_validity),
        cmocka_unit_test(test_pem_is_the_certificate), cmocka_unit_test(test_leaf_verifies),
        cmocka_unit_test(test_leaf_of_address),        cmocka_unit_test(test_leaf_fields),
        cmocka_unit_test(test_leaf_of_long_name),      cmocka_unit_test(test_cache),
        cmocka_unit_test(test_each_ca_is_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
