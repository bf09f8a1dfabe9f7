/*
 * What `qemu-img info --output=json` prints, about one image or a whole chain. Hostile: the images'
 * names.
 */
#ifndef HAMON_STORAGE_IMGINFO_H
#define HAMON_STORAGE_IMGINFO_H

#include <stddef.h>

#define IMGINFO_BYTES_MAX (1u << 20)
#define IMGINFO_CHAIN_MAX 64

/*
 * Reads the file names of the chain, the image itself first; data files follow their image. A new
 * array of n new strings (free with imginfo_free). 0, -EBADMSG when it is not such a text, -E2BIG
 * with more than IMGINFO_CHAIN_MAX names or too much text, -ENOTUNIQ when the chain is cut off,
 * -EUCLEAN when an image is marked corrupt, -ENOMEM.
 */
int imginfo_parse(const char *text, size_t len, char ***ret_names, size_t *ret_n);
void imginfo_free(char **names, size_t n);

#endif
