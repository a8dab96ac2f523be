/* A safetensors file of any bytes: refused, or every byte of every tensor can be read where its type can be. */
#include "weights/safetensors.h"

static volatile unsigned char sink;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SafeTensors st;
    Err err = {0};
    if (st_open_bytes(&st, data, size, "fuzz", &err)) {
        CHECK(err.msg[0], "an error without a message");
        return 0;
    }
    size_t total = 0;
    for (int i = 0; i < st.n; i++) {
        const StTensor *t = &st.tensor[i];
        CHECK(st_find(&st, t->name) == t, "%s is not found", t->name);
        CHECK((uintptr_t)t->data % dtype_size(t->dtype) == 0, "%s is misaligned", t->name);
        CHECK((size_t)st_count(t) * dtype_size(t->dtype) == t->bytes, "%s has a wrong size", t->name);
        for (size_t k = 0; k < t->bytes; k++) sink = t->data[k];
        total += t->bytes;
    }
    CHECK(total <= size, "%zu bytes of data in a file of %zu", total, size);
    st_close(&st);
    return 0;
}
