#include "twindock/platform/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct td_digest {
    EVP_MD *method; /* fetched once: looking it up anew for each small file costs more than hashing it */
    EVP_MD_CTX *state;
};

static const uint8_t zeros[16384]; /* fits the first-level cache */

struct td_digest *td_digest_new(struct td_error *err) {
    struct td_digest *digest = calloc(1, sizeof *digest);
    if (!digest) {
        td_fail(err, ENOMEM, "preparing SHA-256");
        return NULL;
    }
    digest->method = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    digest->state = EVP_MD_CTX_new();
    if (!digest->method || !digest->state || EVP_MD_get_size(digest->method) != TD_SHA256_LEN) {
        td_fail_text(err, ENOSYS, "preparing SHA-256: libcrypto has none");
        td_digest_free(digest);
        return NULL;
    }
    return digest;
}

void td_digest_free(struct td_digest *digest) {
    if (!digest)
        return;
    EVP_MD_CTX_free(digest->state);
    EVP_MD_free(digest->method);
    free(digest);
}

/* libcrypto has reasons but no errno; for hashing in memory none is to be expected. */
static int outcome(int ok) {
    return ok == 1 ? 0 : -EIO;
}

int td_digest_start(struct td_digest *digest) {
    return outcome(EVP_DigestInit_ex2(digest->state, digest->method, NULL));
}

int td_digest_add(struct td_digest *digest, const void *data, size_t len) {
    return len == 0 ? 0 : outcome(EVP_DigestUpdate(digest->state, data, len));
}

int td_digest_add_zeros(struct td_digest *digest, uint64_t len) {
    while (len > 0) {
        size_t piece = len < sizeof zeros ? (size_t)len : sizeof zeros;
        int rc = td_digest_add(digest, zeros, piece);
        if (rc < 0)
            return rc;
        len -= piece;
    }
    return 0;
}

int td_digest_end(struct td_digest *digest, uint8_t out[TD_SHA256_LEN]) {
    return outcome(EVP_DigestFinal_ex(digest->state, out, NULL));
}
