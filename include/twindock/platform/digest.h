/* SHA-256 through libcrypto's EVP, which uses the processor's instructions for it. FIPS 180-4. */
#ifndef TWINDOCK_PLATFORM_DIGEST_H
#define TWINDOCK_PLATFORM_DIGEST_H

#include "twindock/base/error.h"

#include <stddef.h>
#include <stdint.h>

#define TD_SHA256_LEN 32

struct td_digest; /* a running hash; not shared between threads */

struct td_digest *td_digest_new(struct td_error *err); /* NULL on failure; free with td_digest_free */
void td_digest_free(struct td_digest *digest);
int td_digest_start(struct td_digest *digest); /* also to begin anew */
int td_digest_add(struct td_digest *digest, const void *data, size_t len);
int td_digest_add_zeros(struct td_digest *digest, uint64_t len); /* the bytes of a hole */
int td_digest_end(struct td_digest *digest, uint8_t out[TD_SHA256_LEN]);

#endif
