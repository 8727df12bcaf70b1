/* A stretch of a device or a file. */
#ifndef TWINDOCK_BASE_RANGE_H
#define TWINDOCK_BASE_RANGE_H

#include <stdint.h>

struct td_range {
    uint64_t start, length; /* bytes */
};

#endif
