/* fuzz_client_hello.c: the bytes as a client's, cut into segments in two ways, which must come to
 * the same; and as a bare message. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "httpproxy/client_hello.h"
#include "src/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum client_hello_status feed(struct client_hello *h, const uint8_t *data, size_t size,
                                     size_t segment)
{
    for (size_t i = 0; i < size; i += segment) {
        size_t n = size - i < segment ? size - i : segment;
        uint8_t *exact = xmalloc(n);
        memcpy(exact, data + i, n);
        (void)client_hello_feed(h, exact, n);
        free(exact);
    }
    client_hello_free(h);
    return h->status;
}

/* A name that is let through is canonical. */
static void check_name(const char *sni)
{
    char canonical[NAME_SIZE];

    if (name_canon(sni, strlen(sni), canonical, NULL) < 0 || strcmp(sni, canonical) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client_hello whole = {0}, bytes = {0};
    char sni[NAME_SIZE];
    const char *problem;

    if (feed(&whole, data, size, size) != feed(&bytes, data, size, 1) ||
        strcmp(whole.sni, bytes.sni) != 0 || whole.problem != bytes.problem)
        abort();
    if (whole.status == CLIENT_HELLO_GOOD)
        check_name(whole.sni);
    if (whole.status == CLIENT_HELLO_BAD && !whole.problem)
        abort();
    if (client_hello_parse(data, size, sni, &problem) == CLIENT_HELLO_GOOD)
        check_name(sni);
    return 0;
}
