/* own_folder.h: a copy of a folder of the host. */
#ifndef CIJAIL_OWN_FOLDER_H
#define CIJAIL_OWN_FOLDER_H

#include "src/error.h"

#define OWN_FOLDER_ENTRIES 4096           /* in all */
#define OWN_FOLDER_FILE_MAX (16 << 20)    /* bytes of one */
#define OWN_FOLDER_BYTES_MAX (128L << 20) /* of all */

/* Copies the folder at path into the empty folder to: links as they are, files, and one level of
 * folders, with mode and owner. Larger files, and what is of another kind, is left out. 1; 0 if
 * there is no such folder, a link leads to it, or it holds too much: then what has been copied is
 * of no use; or -errno. */
int own_folder_copy(int to, const char *path, struct error *e);

#endif
