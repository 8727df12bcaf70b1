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
    int error;                             /* of reading the base */
    struct td_delta_spans *wanted, copies; /* resolving: what is looked for; what the delta takes from its base */
    uint64_t *ends;                        /* the furthest end of the wanted spans up to each */
    size_t seen;                           /* copies that lie before what is being taken */
    uint64_t passed;                       /* spans that were looked at in vain */
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
        rc = made > 0 && flow->written != NULL ? td_digest_add(flow->written, flow->made, made) : 0;
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

/* --- chains of deltas ---------------------------------------------------------------------------------------- */

#define WHOLE (UINT64_C(1) << 62)
#define PASSED_MAX (1U << 27) /* some tenths of a second */

void td_delta_spans_free(struct td_delta_spans *spans) {
    free(spans->at);
    *spans = (struct td_delta_spans){.most = spans->most};
}

static int add_span(struct td_delta_spans *spans, uint64_t to, uint64_t len, uint64_t from) {
    struct td_delta_span *last = spans->count > 0 ? &spans->at[spans->count - 1] : NULL;
    if (last != NULL && last->to + last->len == to && last->from + last->len == from) {
        last->len += len;
        return 0;
    }
    if (spans->count >= (spans->most != 0 ? spans->most : TD_DELTA_SPANS))
        return -E2BIG;
    if (spans->count == spans->room) {
        size_t room = spans->room == 0 ? 64 : 2 * spans->room;
        struct td_delta_span *at = realloc(spans->at, room * sizeof *at);
        if (at == NULL)
            return -ENOMEM;
        spans->at = at;
        spans->room = room;
    }
    spans->at[spans->count++] = (struct td_delta_span){to, len, from};
    return 0;
}

int td_delta_spans_all(struct td_delta_spans *spans) {
    spans->count = 0;
    return add_span(spans, 0, WHOLE, 0);
}

static int compare_spans(const void *one, const void *two) {
    const struct td_delta_span *a = one, *b = two;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return a->to < b->to ? -1 : a->to > b->to;
}

/* librsync asks for bytes of the base, and where to put them tells where in the version they are: that is all that is
 * wanted of them now. */
static rs_result note_copy(void *opaque, rs_long_t pos, size_t *len, void **buf) {
    struct flow *flow = opaque;
    const char *at = *buf;
    if (pos < 0 || (uint64_t)pos > WHOLE || at < flow->made || at + *len > flow->made + PIECE)
        flow->error = -EUCLEAN;
    else if (flow->size + (uint64_t)(at - flow->made) + *len > flow->most)
        flow->error = -EUCLEAN; /* a length that is none would keep it busy for years */
    else
        flow->error = add_span(&flow->copies, flow->size + (uint64_t)(at - flow->made), *len, (uint64_t)pos);
    return flow->error == 0 ? RS_DONE : RS_IO_ERROR;
}

/* Pages of zeros stay holes. */
static int put_at(int out, const char *data, size_t len, uint64_t at) {
    int rc = 0;
    while (len > 0 && rc == 0) {
        size_t part = PAGE - (size_t)(at % PAGE);
        part = part < len ? part : len;
        if (!all_zeros(data, part))
            rc = td_pwrite_all(out, data, part, (off_t)at);
        data += part;
        len -= part;
        at += part;
    }
    return rc;
}

/* Bytes of the delta's own, at `from` of its version: to wherever they are wanted. */
static int give_literal(struct flow *flow, const char *data, uint64_t from, uint64_t len) {
    const struct td_delta_spans *wanted = flow->wanted;
    size_t low = 0, high = wanted->count;
    while (low < high) { /* the first span that may end after `from` */
        size_t middle = low + (high - low) / 2;
        if (flow->ends[middle] > from)
            high = middle;
        else
            low = middle + 1;
    }
    int rc = 0;
    for (; rc == 0 && low < wanted->count && wanted->at[low].from < from + len; low++) {
        const struct td_delta_span *span = &wanted->at[low];
        uint64_t begin = span->from > from ? span->from : from;
        uint64_t end = span->from + span->len < from + len ? span->from + span->len : from + len;
        if (begin >= end)
            rc = ++flow->passed > PASSED_MAX ? -E2BIG : 0; /* a long span before many short ones: all are looked at */
        else
            rc = put_at(flow->out, data + (begin - from), (size_t)(end - begin), span->to + (begin - span->from));
    }
    return rc;
}

/* A piece of the version: what is no copy is a literal. */
static int take_literals(struct flow *flow, const char *data, size_t len) {
    uint64_t at = flow->size, end = at + len;
    int rc = end <= flow->most ? 0 : -EUCLEAN;
    while (rc == 0 && at < end) {
        while (flow->seen < flow->copies.count &&
               flow->copies.at[flow->seen].to + flow->copies.at[flow->seen].len <= at)
            flow->seen++;
        const struct td_delta_span *copy = flow->seen < flow->copies.count ? &flow->copies.at[flow->seen] : NULL;
        uint64_t until = copy == NULL || copy->to > end ? end : copy->to;
        if (copy != NULL && copy->to <= at) {
            at = copy->to + copy->len;
            continue;
        }
        rc = give_literal(flow, data + (at - flow->size), at, until - at);
        at = until;
    }
    flow->size += len;
    return rc;
}

static int note_ends(struct flow *flow) {
    uint64_t furthest = 0;
    flow->ends = malloc((flow->wanted->count + 1) * sizeof *flow->ends);
    if (flow->ends == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < flow->wanted->count; i++) {
        uint64_t end = flow->wanted->at[i].from + flow->wanted->at[i].len;
        furthest = end > furthest ? end : furthest;
        flow->ends[i] = furthest;
    }
    return 0;
}

/* What was wanted of the version, as spans of the base. */
static int pass_on(const struct td_delta_spans *wanted, const struct td_delta_spans *copies,
                   struct td_delta_spans *out) {
    size_t first = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < wanted->count; i++) {
        const struct td_delta_span *span = &wanted->at[i];
        while (first < copies->count && copies->at[first].to + copies->at[first].len <= span->from)
            first++; /* spans begin in order, so no later one needs it */
        for (size_t k = first; rc == 0 && k < copies->count && copies->at[k].to < span->from + span->len; k++) {
            const struct td_delta_span *copy = &copies->at[k];
            uint64_t begin = copy->to > span->from ? copy->to : span->from;
            uint64_t a = copy->to + copy->len, b = span->from + span->len, end = a < b ? a : b;
            if (begin < end)
                rc = add_span(out, span->to + (begin - span->from), end - begin, copy->from + (begin - copy->to));
        }
    }
    if (rc == 0 && out->count > 1)
        qsort(out->at, out->count, sizeof *out->at, compare_spans);
    return rc;
}

int td_delta_resolve(int delta, uint64_t size, int out, struct td_delta_spans *wanted,
                     const struct td_delta_watch *watch, struct td_delta_sums *sums, struct td_error *err) {
    struct flow flow = {.in = delta, .out = out, .take = take_literals, .watch = watch, .wanted = wanted, .most = size};
    struct td_delta_spans next = {.most = wanted->most};
    flow.copies.most = wanted->most;
    int rc = begin_flow(&flow, rs_patch_begin(note_copy, &flow));
    td_digest_free(flow.written); /* nothing is made that could be hashed */
    flow.written = NULL;
    if (rc == 0)
        rc = note_ends(&flow);
    if (rc == 0)
        rc = run_flow(&flow);
    if (rc == 0 && flow.size != size)
        rc = -EUCLEAN;
    if (rc == 0)
        rc = td_digest_end(flow.read, sums->delta);
    if (rc == 0)
        rc = pass_on(wanted, &flow.copies, &next);
    sums->size = flow.size;
    sums->delta_size = (uint64_t)flow.at;
    if (rc == 0) {
        td_delta_spans_free(wanted);
        *wanted = next;
    } else {
        td_delta_spans_free(&next);
    }
    td_delta_spans_free(&flow.copies);
    free(flow.ends);
    free_flow(&flow);
    return rc < 0 ? td_fail(err, -rc, "cannot apply a delta") : rc;
}

int td_delta_complete(int base, int out, const struct td_delta_spans *wanted, const struct td_delta_watch *watch,
                      struct td_error *err) {
    TD_AUTOFREE char *piece = malloc(PIECE);
    int rc = piece != NULL ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < wanted->count; i++) {
        const struct td_delta_span *span = &wanted->at[i];
        for (uint64_t done = 0; rc == 0 && done < span->len;) {
            size_t part = span->len - done < PIECE ? (size_t)(span->len - done) : PIECE;
            ssize_t got = td_pread_all(base, piece, part, (off_t)(span->from + done));
            rc = got < 0 ? (int)got : (size_t)got < part ? -EUCLEAN : 0;
            if (rc == 0)
                rc = put_at(out, piece, part, span->to + done);
            if (rc == 0 && watch != NULL)
                rc = watch->tick(watch->ctx);
            done += part;
        }
    }
    return rc < 0 ? td_fail(err, -rc, "cannot apply a delta") : rc;
}
