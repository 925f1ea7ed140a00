/* ca_bundle.c: the host's trust store is not touched. In the jail's mount namespace each file that
 * holds the system's roots (Debian, Alpine and Arch, Fedora, SUSE) is covered by the same roots
 * with the jail's CA after them; so is each file that the caller had named by a variable, which
 * then stays as it was. Variables that were not set are set to the system's path. The certificates
 * are copied, never parsed, here. */
#include "src/ca_bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "src/memfd.h"
#include "src/util.h"

static const char *const system_paths[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Alpine, Arch, Gentoo */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora, RHEL */
    "/etc/pki/tls/cert.pem",                             /* Fedora, RHEL */
    "/etc/ssl/ca-bundle.pem",                            /* SUSE */
    "/var/lib/ca-certificates/ca-bundle.pem",            /* SUSE */
    "/etc/ssl/cert.pem",                                 /* Alpine */
    "/usr/lib/ssl/cert.pem",                             /* OpenSSL's own, Debian */
};

/* The first is the one that stands for "the system's roots" in OpenSSL
 * (SSL_CTX_set_default_verify_paths(3)). */
static const char *const variables[] = {
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "CARGO_HTTP_CAINFO",
    "AWS_CA_BUNDLE",
    "DENO_CERT",
    "NIX_SSL_CERT_FILE",
    "HTTPLIB2_CA_CERTS",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "BUNDLE_SSL_CA_CERT",
};

const char *ca_bundle_system_path(size_t i)
{
    return i < ARRAY_LEN(system_paths) ? system_paths[i] : NULL;
}

const char *ca_bundle_variable(size_t i)
{
    return i < ARRAY_LEN(variables) ? variables[i] : NULL;
}

static struct ca_file *find_same(struct ca_bundle *b, const struct stat *st)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->files[i].dev == st->st_dev && b->files[i].ino == st->st_ino)
            return &b->files[i];
    return NULL;
}

/* Adds the file at path, or finds it there; NULL if it cannot be read. */
static struct ca_file *add_file(struct ca_bundle *b, const char *path)
{
    struct ca_file *f;
    struct stat st;

    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return NULL;
    f = find_same(b, &st);
    if (f)
        return f;
    if (b->count == CA_BUNDLE_FILES)
        return NULL;
    f = &b->files[b->count];
    *f = (struct ca_file){.dev = st.st_dev, .ino = st.st_ino};
    if (!realpath(path, f->path) || read_file(f->path, CA_BUNDLE_MAX, &f->pem, &f->len, NULL) < 0)
        return NULL;
    b->count++;
    return f;
}

int ca_bundle_find(struct ca_bundle *b, struct error *e)
{
    struct ca_file *system = NULL, *f;
    const char *openssl_file = getenv(variables[0]);

    for (size_t i = 0; i < ARRAY_LEN(system_paths); i++) {
        f = add_file(b, system_paths[i]);
        if (f && !system) {
            system = f;
            copy_string(b->main_path, sizeof(b->main_path), system_paths[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        const char *value = getenv(variables[i]);
        if (!value || !(f = add_file(b, value)))
            continue;
        f->trusted = true;
        if (i == 0)
            copy_string(b->main_path, sizeof(b->main_path), value);
    }
    if (system && !openssl_file)
        system->trusted = true;
    java_stores_find(&b->java);
    for (size_t i = 0; i < b->count; i++)
        if (b->files[i].trusted)
            return 0;
    return error_set(
        e, ENOENT,
        "no trusted CA certificates were found on this machine (looked for %s and others, and at "
        "the "
        "variable SSL_CERT_FILE), so no https endpoint can be verified; run: apt-get install "
        "ca-certificates, or set SSL_CERT_FILE to a PEM file",
        system_paths[0]);
}

void ca_bundle_free(struct ca_bundle *b)
{
    for (size_t i = 0; i < b->count; i++)
        free(b->files[i].pem);
    b->count = 0;
}

int ca_bundle_roots(const struct ca_bundle *b, struct error *e)
{
    cleanup_close int fd = memfd_open("cijail-roots", e);
    int r;

    if (fd < 0)
        return fd;
    for (size_t i = 0; i < b->count; i++) {
        const struct ca_file *f = &b->files[i];
        if (!f->trusted)
            continue;
        if ((r = write_all(fd, f->pem, f->len)) < 0 || (r = write_all(fd, "\n", 1)) < 0)
            return error_errno(e, -r, "cannot write a memfd");
    }
    r = memfd_seal(fd, e);
    return r < 0 ? r : steal_fd(&fd);
}

struct java_store *ca_bundle_java(const struct ca_bundle *b)
{
    struct java_store *s;

    if (b->java.count == 0)
        return NULL;
    s = java_store_new();
    for (size_t i = 0; i < b->count; i++)
        if (b->files[i].trusted)
            java_store_add(s, b->files[i].pem, b->files[i].len);
    return s;
}

void ca_bundle_set_environment(const struct ca_bundle *b)
{
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        const char *value = getenv(variables[i]);
        if (!value || access(value, R_OK) < 0)
            (void)setenv(variables[i], b->main_path, 1);
    }
}
