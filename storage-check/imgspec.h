/*
 * A disk as qemu-img takes it: "json:{..}", QEMU's BlockdevOptions (qapi/block-core.json). Built as
 * JSON, so no name in a domain's XML can become an option.
 */
#ifndef HAMON_STORAGE_IMGSPEC_H
#define HAMON_STORAGE_IMGSPEC_H

struct domxml_disk;

/* An image of that format ("qcow2", ...) in a file. A new string, NULL when memory is out. */
char *image_spec_of_file(const char *path, const char *format);

/*
 * A network disk. A new string, or NULL and *ret_why says why qemu-img cannot be asked: a static
 * phrase for an operator.
 */
char *image_spec_of_network(const struct domxml_disk *disk, const char **ret_why);

#endif
