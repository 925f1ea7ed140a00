/* hosts_file.h: the host's own names, by hosts(5). */
#ifndef CIJAIL_HOSTS_FILE_H
#define CIJAIL_HOSTS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOSTS_FILE_ADDRESSES 16 /* of one name and family */

struct hosts_file;

struct hosts_file *hosts_file_new(const char *path);
void hosts_file_free(struct hosts_file *h);

/* The addresses (IPv4 in the first four bytes) of a canonical name in that family. The file is read
 * anew when it has changed, which is looked for once a second. Returns how many. */
size_t hosts_file_find(struct hosts_file *h, const char *name, int family,
                       uint8_t out[HOSTS_FILE_ADDRESSES][16]);

/* Is it another one than that of *generation (0: none), which is then this one's? */
bool hosts_file_changed(struct hosts_file *h, uint64_t *generation);

/* Each address (IPv4 in the first four bytes) with its canonical name, as the file was when it was
 * looked at the last time. */
typedef void hosts_file_cb(void *arg, const char *name, int family, const uint8_t address[16]);
void hosts_file_each(const struct hosts_file *h, hosts_file_cb *cb, void *arg);

/* Has it the canonical name, or any below it? */
bool hosts_file_has_below(struct hosts_file *h, const char *name);

#endif
