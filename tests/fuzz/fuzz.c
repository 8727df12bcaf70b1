/* libFuzzer's way into one of the targets of tests/support/fuzz_targets.h: FUZZ_TARGET is its function. */
#include "fuzz_targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    FUZZ_TARGET(data, size);
    return 0;
}
