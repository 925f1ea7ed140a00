/* java_store.h: the trust stores of Java, which are no PEM files. */
#ifndef CIJAIL_JAVA_STORE_H
#define CIJAIL_JAVA_STORE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define JAVA_STORES_MAX 4
#define JAVA_CERTIFICATES_MAX 4096

/* The stores of the Java installations that are found: the system's, JAVA_HOME's, and that of the
 * java in PATH. */
struct java_stores {
    char paths[JAVA_STORES_MAX][PATH_MAX]; /* resolved, no symbolic link */
    size_t count;
};

void java_stores_find(struct java_stores *s);

/* Certificates on their way into a store. */
struct java_store;

struct java_store *java_store_new(void);

/* Adds the certificates of a PEM text (RFC 7468); what is not base64 in it is left out. */
void java_store_add(struct java_store *s, const char *pem, size_t len);

/* The store, of *len bytes: PKCS #12 (RFC 7292), neither encrypted nor with a MAC, so that any
 * password opens it. It stays s's, to which nothing more may be added. */
const unsigned char *java_store_finish(struct java_store *s, size_t *len);
void java_store_free(struct java_store *s);

/* Appends to JAVA_TOOL_OPTIONS, in this process's environment: the store, and the jail's proxy. Of
 * two that set the same property a JVM goes by the last. Nothing if no store was found. */
void java_stores_set_environment(const struct java_stores *s, const char *host, unsigned port);

#endif
