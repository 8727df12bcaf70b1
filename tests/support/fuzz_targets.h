/*
 * What eats bytes that somebody else has written, each as a function over any bytes: for libFuzzer (make fuzz) and for
 * the replay of what it found (test_corpus). A target aborts when what comes out breaks a promise of the parser's
 * header; reads and writes out of bounds are the sanitizers' business. The bytes are handed on in memory of exactly
 * their size.
 */
#ifndef TWINDOCK_TESTS_FUZZ_TARGETS_H
#define TWINDOCK_TESTS_FUZZ_TARGETS_H

#include <stddef.h>
#include <stdint.h>

void fuzz_ata(const uint8_t *data, size_t size);       /* IDENTIFY DEVICE; short ones are padded to 512 bytes as well */
void fuzz_vpd80(const uint8_t *data, size_t size);     /* INQUIRY, unit serial number */
void fuzz_vpd83(const uint8_t *data, size_t size);     /* INQUIRY, device identification */
void fuzz_serial(const uint8_t *data, size_t size);    /* sysfs, udev: NVMe and others */
void fuzz_passed_on(const uint8_t *data, size_t size); /* two serials, a line each: are they one drive's? */
void fuzz_wwid(const uint8_t *data, size_t size);
void fuzz_card(const uint8_t *data, size_t size);   /* card.json */
void fuzz_ext4(const uint8_t *data, size_t size);   /* a superblock */
void fuzz_config(const uint8_t *data, size_t size); /* twindock.conf */
void fuzz_escape(const uint8_t *data, size_t size); /* names of files, labels of disks: into sentences and JSON */
void fuzz_delta(const uint8_t *data, size_t size);  /* a delta of a version in history */

struct fuzz_target {
    const char *name; /* of its directory below tests/fuzz/corpus */
    void (*run)(const uint8_t *data, size_t size);
};
extern const struct fuzz_target fuzz_targets[]; /* ends with name NULL */

#endif
