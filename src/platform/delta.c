#include "twindock/platform/delta.h"

#include "twindock/base/cleanup.h"
#include "twindock/base/io.h"

#include <errno.h>
#include <librsync.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (256U << 10)
#define PAGE 4096U
#define BLOCKS (2U << 20)

uint32_t td_delta_block(uint64_t size) {
    rs_magic_number magic = 0;
    size_t block = 0, strong = 0;
    if (rs_sig_args((rs_long_t)size, &magic, &block, &strong) != RS_DONE)
        block = RS_DEFAULT_BLOCK_LEN;
    if (block > PAGE)
        block = PAGE;
    while (size / block >= BLOCKS)
        block *= 2;
    return (uint32_t)block;
}

/* One job of librsync with an input file, and somebody who takes what comes out. */
struct flow {
    rs_job_t *job;
    int in; /* -1: `piece` is all there is */
    off_t at;
    bool ended;
    const char *input; /* not yet taken by the job */
    size_t left;
    char *piece, *made;                                           /* PIECE each */
    int (*take)(struct flow *flow, const char *data, size_t len); /* 1: enough, or a negative errno */
    const struct td_delta_watch *watch;
    struct td_digest *read, *written; /* over the input and the output; may be NULL */
    /* For those who take. */
    rs_signature_t *signature;
    rs_job_t *loading;
    int base, out;
    uint64_t size, most;
    int error; /* of reading the base */
};

static void free_flow(struct flow *flow) {
    if (flow->job != NULL)
        rs_job_free(flow->job);
    td_digest_free(flow->read);
    td_digest_free(flow->written);
    free(flow->piece);
    free(flow->made);
}

/* It would write its complaints to standard error. */
static void silence(void) {
    rs_trace_set_level(RS_LOG_EMERG);
}

static int begin_flow(struct flow *flow, rs_job_t *job) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, silence);
    flow->job = job;
    flow->piece = malloc(PIECE);
    flow->made = malloc(PIECE);
    flow->read = td_digest_new(NULL);
    flow->written = td_digest_new(NULL);
    if (job == NULL || flow->piece == NULL || flow->made == NULL || flow->read == NULL || flow->written == NULL)
        return -ENOMEM;
    int rc = td_digest_start(flow->read);
    return rc != 0 ? rc : td_digest_start(flow->written);
}

static int errno_of(rs_result result) {
    return result == RS_MEM_ERROR ? -ENOMEM : result == RS_IO_ERROR ? -EIO : -EUCLEAN;
}

static int fill(struct flow *flow) {
    if (flow->left > 0 || flow->ended)
        return 0;
    ssize_t got = td_pread_all(flow->in, flow->piece, PIECE, flow->at);
    if (got < 0)
        return (int)got;
    flow->input = flow->piece;
    flow->left = (size_t)got;
    flow->at += got;
    flow->ended = got < (ssize_t)PIECE;
    return td_digest_add(flow->read, flow->piece, (size_t)got);
}

/* Read, work, hand on, until the job is done. 1: the taker has had enough. */
static int run_flow(struct flow *flow) {
    for (;;) {
        int rc = flow->watch != NULL ? flow->watch->tick(flow->watch->ctx) : 0;
        if (rc == 0)
            rc = fill(flow);
        if (rc < 0)
            return rc;
        size_t before = flow->left;
        rs_buffers_t buffers = {.next_in = (char *)(uintptr_t)flow->input,
                                .avail_in = flow->left,
                                .eof_in = flow->ended,
                                .next_out = flow->made,
                                .avail_out = PIECE};
        rs_result result = rs_job_iter(flow->job, &buffers);
        size_t made = PIECE - buffers.avail_out;
        flow->input = buffers.next_in;
        flow->left = buffers.avail_in;
        if (flow->error != 0)
            return flow->error;
        if (result != RS_DONE && result != RS_BLOCKED)
            return errno_of(result);
        rc = made > 0 ? td_digest_add(flow->written, flow->made, made) : 0;
        if (rc == 0 && made > 0)
            rc = flow->take(flow, flow->made, made);
        if (rc != 0 || result == RS_DONE)
            return rc;
        if (made == 0 && before == flow->left && flow->ended)
            return -EUCLEAN; /* it wants more than there is */
    }
}

/* --- the signature ------------------------------------------------------------------------------------------- */

static int load(struct flow *flow, const char *data, size_t len) {
    rs_buffers_t buffers = {.next_in = (char *)(uintptr_t)data, .avail_in = len};
    while (buffers.avail_in > 0) {
        size_t before = buffers.avail_in;
        rs_result result = rs_job_iter(flow->loading, &buffers);
        if (result != RS_BLOCKED && result != RS_DONE)
            return errno_of(result);
        if (buffers.avail_in == before)
            return -EUCLEAN;
    }
    return 0;
}

static int end_load(struct flow *flow) {
    rs_buffers_t buffers = {.eof_in = 1};
    rs_result result = rs_job_iter(flow->loading, &buffers);
    if (result == RS_DONE)
        result = rs_build_hash_table(flow->signature);
    return result == RS_DONE ? 0 : errno_of(result);
}

/* The signature of `base`, hashed for searching. The caller frees it. */
static int sign(int base, const struct td_delta_watch *watch, rs_signature_t **out) {
    struct stat st;
    rs_magic_number magic = 0;
    size_t strong = 0;
    if (fstat(base, &st) != 0)
        return -errno;
    size_t block = td_delta_block((uint64_t)st.st_size);
    if (rs_sig_args(st.st_size, &magic, &block, &strong) != RS_DONE)
        return -EINVAL;
    struct flow flow = {.in = base, .take = load, .watch = watch};
    strong = strong < 16 ? strong : 16; /* what a collision would spoil is found by the proof */
    int rc = begin_flow(&flow, rs_sig_begin(block, strong, magic));
    flow.loading = rs_loadsig_begin(&flow.signature);
    if (rc == 0)
        rc = flow.loading != NULL ? run_flow(&flow) : -ENOMEM;
    if (rc == 0)
        rc = end_load(&flow);
    if (flow.loading != NULL)
        rs_job_free(flow.loading);
    free_flow(&flow);
    if (rc == 0)
        *out = flow.signature;
    else if (flow.signature != NULL)
        rs_free_sumset(flow.signature);
    return rc;
}

/* --- making a delta ------------------------------------------------------------------------------------------ */

static int append(struct flow *flow, const char *data, size_t len) {
    if (flow->size + len > flow->most)
        return 1;
    int rc = td_pwrite_all(flow->out, data, len, (off_t)flow->size);
    flow->size += len;
    return rc;
}

int td_delta_make(int base, int old, int out, uint64_t most, const struct td_delta_watch *watch,
                  struct td_delta_sums *sums, struct td_error *err) {
    struct flow flow = {.in = old, .out = out, .take = append, .watch = watch, .most = most};
    rs_signature_t *signature = NULL;
    int rc = sign(base, watch, &signature);
    if (rc == 0)
        rc = begin_flow(&flow, rs_delta_begin(signature));
    if (rc == 0)
        rc = run_flow(&flow);
    if (rc == 0)
        rc = td_digest_end(flow.read, sums->version);
    if (rc == 0)
        rc = td_digest_end(flow.written, sums->delta);
    sums->size = (uint64_t)flow.at;
    sums->delta_size = flow.size;
    free_flow(&flow);
    if (signature != NULL)
        rs_free_sumset(signature);
    return rc < 0 ? td_fail(err, -rc, "cannot make a delta") : rc;
}

/* --- patching ------------------------------------------------------------------------------------------------ */

static rs_result read_base(void *opaque, rs_long_t pos, size_t *len, void **buf) {
    struct flow *flow = opaque;
    ssize_t got = td_pread_all(flow->base, *buf, *len, (off_t)pos);
    if (got < 0) {
        flow->error = (int)got;
        return RS_IO_ERROR;
    }
    *len = (size_t)got;
    return got > 0 ? RS_DONE : RS_INPUT_ENDED;
}

static bool all_zeros(const char *data, size_t len) {
    return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* Pages of zeros stay holes. */
static int put(struct flow *flow, const char *data, size_t len) {
    int rc = 0;
    while (len > 0 && rc == 0) {
        size_t part = PAGE - (size_t)(flow->size % PAGE);
        part = part < len ? part : len;
        if (flow->out >= 0 && !all_zeros(data, part))
            rc = td_pwrite_all(flow->out, data, part, (off_t)flow->size);
        data += part;
        len -= part;
        flow->size += part;
    }
    return rc;
}

int td_delta_patch(int base, int delta, int out, const struct td_delta_watch *watch, struct td_delta_sums *sums,
                   struct td_error *err) {
    struct flow flow = {.in = delta, .base = base, .out = out, .take = put, .watch = watch};
    int rc = begin_flow(&flow, rs_patch_begin(read_base, &flow));
    if (rc == 0)
        rc = run_flow(&flow);
    if (rc == 0 && out >= 0 && ftruncate(out, (off_t)flow.size) != 0)
        rc = -errno;
    if (rc == 0)
        rc = td_digest_end(flow.written, sums->version);
    if (rc == 0)
        rc = td_digest_end(flow.read, sums->delta);
    sums->size = flow.size;
    sums->delta_size = (uint64_t)flow.at;
    free_flow(&flow);
    return rc < 0 ? td_fail(err, -rc, "cannot apply a delta") : rc;
}
