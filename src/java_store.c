/* java_store.c: trust stores of Java.
 *
 * A JVM trusts what is in lib/security/cacerts of its installation, which on Debian is a link to
 * one file for all of them. In the jail such files are covered by a store of the same roots as the
 * PEM bundle's, the jail's CA included (mounts.c). JAVA_TOOL_OPTIONS names one of them besides, for
 * JVMs that bring a store of their own, and the proxy, which Java does not take from http_proxy.
 *
 * A store that holds nothing but certificates needs no cryptography: it is a list of
 *
 *   SafeBag ::= { certBag, CertBag { x509Certificate, DER }, { friendlyName, trustedKeyUsage } }
 *
 * in three wrappers (RFC 7292, 4). Without the attribute trustedKeyUsage, which is Oracle's, the
 * JDK takes a certificate for one of a chain, not for an anchor of trust (JDK-8012900). */
#include "src/java_store.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/util.h"

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"
#define CERTIFICATE_MAX 65536 /* bytes of one */
#define DER_HEAD_MAX 6        /* tag and length */
#define NO_DIGIT (-1)         /* in a table of base64 digits */
#define SPACE (-2)
#define ROOM 8192 /* for the jail's CA, and the wrappers */

static const unsigned char oid_data[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                         0xf7, 0x0d, 0x01, 0x07, 0x01}; /* 1.2.840.113549.1.7.1 */
static const unsigned char oid_cert_bag[] = {0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                             0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x03};
static const unsigned char oid_x509[] = {0x06, 0x0a, 0x2a, 0x86, 0x48, 0x86,
                                         0xf7, 0x0d, 0x01, 0x09, 0x16, 0x01};
static const unsigned char friendly_name[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                              0xf7, 0x0d, 0x01, 0x09, 0x14};
/* SEQUENCE { 2.16.840.1.113894.746875.1.1, SET { anyExtendedKeyUsage } } */
static const unsigned char trusted[] = {0x30, 0x16, 0x06, 0x0c, 0x60, 0x86, 0x48, 0x01,
                                        0x86, 0xf9, 0x66, 0xad, 0xca, 0x7b, 0x01, 0x01,
                                        0x31, 0x06, 0x06, 0x04, 0x55, 0x1d, 0x25, 0x00};

/* Bytes of DER, written from the end to the beginning, so that each length is known when it is to
 * be written. */
struct java_store {
    unsigned char *data;
    size_t size, start;
    size_t count;
    signed char digits[256]; /* of base64 */
};

struct java_store *java_store_new(void)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct java_store *s = xcalloc(1, sizeof(*s));

    memset(s->digits, NO_DIGIT, sizeof(s->digits));
    for (int i = 0; alphabet[i]; i++)
        s->digits[(unsigned char)alphabet[i]] = (signed char)i;
    s->digits[' '] = s->digits['\t'] = s->digits['\r'] = s->digits['\n'] = SPACE;
    return s;
}

/* Makes room for len bytes more. */
static void reserve(struct java_store *s, size_t len)
{
    size_t used = s->size - s->start, size = s->size + len + s->size / 2 + ROOM;
    unsigned char *larger;

    if (len <= s->start)
        return;
    larger = xmalloc(size);
    if (used)
        memcpy(larger + size - used, s->data + s->start, used);
    free(s->data);
    s->data = larger;
    s->start = size - used;
    s->size = size;
}

static void put(struct java_store *s, const void *data, size_t len)
{
    reserve(s, len);
    s->start -= len;
    memcpy(s->data + s->start, data, len);
}

static size_t written(const struct java_store *s)
{
    return s->size - s->start;
}

/* The head of all that was written since there were before bytes (X.690, 8.1.2 and 8.1.3). */
static void wrap(struct java_store *s, unsigned char tag, size_t before)
{
    size_t len = written(s) - before;
    unsigned char head[DER_HEAD_MAX] = {tag};
    size_t octets = len < 0x80 ? 0 : len < 0x100 ? 1 : len < 0x10000 ? 2 : len < 0x1000000 ? 3 : 4;

    head[1] = (unsigned char)(octets ? 0x80 | octets : len);
    for (size_t i = 0; i < octets; i++)
        head[2 + i] = (unsigned char)(len >> 8 * (octets - 1 - i));
    put(s, head, 2 + octets);
}

static void put_attributes(struct java_store *s)
{
    size_t set = written(s), attribute, values;
    unsigned char name[16] = {0};
    char text[9];

    put(s, trusted, sizeof(trusted));
    attribute = values = written(s);
    (void)snprintf(text, sizeof(text), "%08zx", s->count);
    for (size_t i = 0; i < 8; i++)
        name[2 * i + 1] = (unsigned char)text[i]; /* BMPString: two bytes a character */
    put(s, name, sizeof(name));
    wrap(s, 0x1e, values);
    wrap(s, 0x31, values);
    put(s, friendly_name, sizeof(friendly_name));
    wrap(s, 0x30, attribute);
    wrap(s, 0x31, set);
}

static void put_bag(struct java_store *s, const unsigned char *der, size_t len)
{
    size_t bag = written(s), value;

    if (s->count == JAVA_CERTIFICATES_MAX)
        return;
    s->count++;
    put_attributes(s);
    value = written(s);
    put(s, der, len);
    wrap(s, 0x04, value);
    wrap(s, 0xa0, value);
    put(s, oid_x509, sizeof(oid_x509));
    wrap(s, 0x30, value);
    wrap(s, 0xa0, value);
    put(s, oid_cert_bag, sizeof(oid_cert_bag));
    wrap(s, 0x30, bag);
}

/* The decoded length, or 0 (RFC 4648, 4; white space anywhere). */
static size_t decode_base64(const struct java_store *s, const char *text, size_t len,
                            unsigned char *out, size_t size)
{
    unsigned bits = 0, count = 0;
    size_t n = 0;

    for (size_t i = 0; i < len && text[i] != '='; i++) {
        signed char digit = s->digits[(unsigned char)text[i]];
        if (digit == SPACE)
            continue;
        if (digit == NO_DIGIT || n == size)
            return 0;
        bits = bits << 6 | (unsigned)digit;
        if (++count % 4 != 1)
            out[n++] = (unsigned char)(bits >> (2 * (3 - (count - 1) % 4)));
    }
    return n;
}

/* One SEQUENCE, and nothing behind it? What is within is the JVM's to read. */
static bool is_sequence(const unsigned char *der, size_t len)
{
    size_t octets, inner = 0;

    if (len < 2 || der[0] != 0x30)
        return false;
    octets = der[1] & 0x80 ? der[1] & 0x7f : 0;
    if (octets == 0)
        return der[1] < 0x80 && len == 2u + der[1];
    if (octets > 3 || len < 2 + octets)
        return false;
    for (size_t i = 0; i < octets; i++)
        inner = inner << 8 | der[2 + i];
    return len == 2 + octets + inner;
}

void java_store_add(struct java_store *s, const char *pem, size_t len)
{
    const char *end = pem + len, *p = pem;
    unsigned char *der = xmalloc(CERTIFICATE_MAX);

    reserve(s, len); /* base64 is longer than what it becomes, attributes included */
    while ((p = memmem(p, (size_t)(end - p), BEGIN, sizeof(BEGIN) - 1))) {
        const char *body = p + sizeof(BEGIN) - 1;
        const char *stop = memmem(body, (size_t)(end - body), END, sizeof(END) - 1);
        size_t n;
        if (!stop)
            break;
        n = decode_base64(s, body, (size_t)(stop - body), der, CERTIFICATE_MAX);
        if (is_sequence(der, n))
            put_bag(s, der, n);
        p = stop + sizeof(END) - 1;
    }
    free(der);
}

/* ContentInfo { data, [0] { OCTET STRING } } around all that is there. */
static void wrap_content(struct java_store *s)
{
    wrap(s, 0x04, 0);
    wrap(s, 0xa0, 0);
    put(s, oid_data, sizeof(oid_data));
    wrap(s, 0x30, 0);
}

const unsigned char *java_store_finish(struct java_store *s, size_t *len)
{
    static const unsigned char version[] = {0x02, 0x01, 0x03};

    wrap(s, 0x30, 0); /* SafeContents */
    wrap_content(s);
    wrap(s, 0x30, 0); /* AuthenticatedSafe */
    wrap_content(s);
    put(s, version, sizeof(version));
    wrap(s, 0x30, 0); /* PFX */
    *len = written(s);
    return s->data + s->start;
}

void java_store_free(struct java_store *s)
{
    if (s)
        free(s->data);
    free(s);
}

/* --- where they are --- */

static void add_path(struct java_stores *s, const char *path)
{
    char real[PATH_MAX];

    if (s->count == JAVA_STORES_MAX || !realpath(path, real) || access(real, R_OK) < 0)
        return;
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->paths[i], real) == 0)
            return;
    copy_string(s->paths[s->count++], PATH_MAX, real);
}

static void add_home(struct java_stores *s, const char *home)
{
    static const char *const below[] = {"lib/security/cacerts", "jre/lib/security/cacerts"};
    char path[PATH_MAX];

    for (size_t i = 0; i < ARRAY_LEN(below); i++)
        if (snprintf(path, sizeof(path), "%s/%s", home, below[i]) < (int)sizeof(path))
            add_path(s, path);
}

/* The java in PATH is HOME/bin/java, by links or not. */
static void add_from_path(struct java_stores *s)
{
    const char *p = getenv("PATH");
    char path[PATH_MAX], real[PATH_MAX];

    while (p && *p) {
        size_t len = strcspn(p, ":");
        if (snprintf(path, sizeof(path), "%.*s/java", (int)len, p) < (int)sizeof(path) &&
            access(path, X_OK) == 0 && realpath(path, real)) {
            for (int i = 0; i < 2 && strrchr(real, '/'); i++)
                *strrchr(real, '/') = '\0';
            add_home(s, real);
            return;
        }
        p += len + (p[len] == ':');
    }
}

void java_stores_find(struct java_stores *s)
{
    const char *home = getenv("JAVA_HOME");

    s->count = 0;
    if (home && *home)
        add_home(s, home);
    add_from_path(s);
    add_path(s, "/etc/ssl/certs/java/cacerts"); /* Debian, Ubuntu */
    add_path(s, "/etc/pki/java/cacerts");       /* Fedora, RHEL */
}

/* One that needs no quoting in JAVA_TOOL_OPTIONS, or NULL. */
static const char *plain_path(const struct java_stores *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (!strpbrk(s->paths[i], " \t\r\n\v\f'\""))
            return s->paths[i];
    return NULL;
}

void java_stores_set_environment(const struct java_stores *s, const char *host, unsigned port)
{
    const char *old = getenv("JAVA_TOOL_OPTIONS"), *path = plain_path(s);
    char *text;

    if (!path)
        return;
    text = xasprintf("%s%s-Djavax.net.ssl.trustStore=%s -Djavax.net.ssl.trustStoreType=PKCS12 "
                     "-Djavax.net.ssl.trustStorePassword=changeit -Dhttp.proxyHost=%s "
                     "-Dhttp.proxyPort=%u -Dhttps.proxyHost=%s -Dhttps.proxyPort=%u "
                     "-Dhttp.nonProxyHosts=localhost|127.*|[::1]",
                     old ? old : "", old && *old ? " " : "", path, host, port, host, port);
    (void)setenv("JAVA_TOOL_OPTIONS", text, 1);
    free(text);
}
