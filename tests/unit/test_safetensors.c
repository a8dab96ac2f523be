/* One safetensors file: what round-trips, what is refused and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "scratch.h"
#include "weights/safetensors.h"

/* A file's bytes: length, header, data of n zeros. */
static void raw_file(Buf *b, const char *header, size_t n_data)
{
    uint64_t n = strlen(header);
    buf_clear(b);
    buf_add(b, &n, 8);
    buf_str(b, header);
    for (size_t i = 0; i < n_data; i++) buf_byte(b, 0);
}

static int open_raw(const char *header, size_t n_data, Err *err)
{
    Buf b = {0};
    SafeTensors st;
    *err = (Err){0};
    raw_file(&b, header, n_data);
    int rc = st_open_bytes(&st, (const unsigned char *)b.data, b.len, "x.safetensors", err);
    if (rc == 0) st_close(&st);
    buf_release(&b);
    return rc;
}

static void expect_refused(const char *header, size_t n_data, const char *words)
{
    Err err;
    int rc = open_raw(header, n_data, &err);
    if (rc == 0 || !strstr(err.msg, words) || !strstr(err.msg, "x.safetensors"))
        fail_msg("%s\n  rc %d, message \"%s\"\n  expected \"%s\"", header, rc, err.msg, words);
}

static void test_header_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t n_data;
        const char *words;
    } BAD[] = {
        {"[]", 0, "no JSON object"},
        {" {}", 0, "no JSON object"},
        {"{", 0, "not valid JSON"},
        {"{} x", 0, "not valid JSON"},
        {"{\"a\":1}", 0, "expected an object"},
        {"{\"a\":{}}", 0, "\"dtype\" is missing"},
        {"{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "\"dtype\" must be a string"},
        {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "tensor \"a\": dtype F8_E4M3"},
        {"{\"a\":{\"dtype\":\"f32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype f32"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "\"shape\" is missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":4,\"data_offsets\":[0,4]}}", 4, "\"shape\" must be a list"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, "shape[0] must be an integer"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "shape[0] is negative"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, "9 dimensions"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,4]}}", 4, "too many elements"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967297],\"data_offsets\":[0,4294967296]}}", 4,
         "too many elements"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}", 4, "not valid JSON"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "need 8 bytes, the offsets give 4"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "\"data_offsets\" is missing"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "two integers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, "two integers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[\"0\",4]}}", 4, "two integers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4, "offsets -4 to 0"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "offsets 4 to 0"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 3, "ends at byte 4 of 3"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[9223372036854775800,9223372036854775807]}}", 4,
         "ends at byte"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 5, "1 bytes after the last tensor"},
        {"{}", 5, "5 bytes after the last tensor"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],"
         "\"data_offsets\":[1,3]}}",
         3, "tensor \"b\" overlaps"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],"
         "\"data_offsets\":[0,2]}}",
         2, "overlaps"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],"
         "\"data_offsets\":[3,5]}}",
         5, "1 bytes before tensor \"b\""},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3, "1 bytes before tensor \"a\""},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],"
         "\"data_offsets\":[0,2]}}",
         2, "overlaps"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"a\":{\"dtype\":\"U8\",\"shape\":[1],"
         "\"data_offsets\":[1,2]}}",
         2, "not valid JSON: duplicate"},
        {"{\"__metadata__\":[]}", 0, "\"__metadata__\" must be an object"},
        {"{\"__metadata__\":{\"format\":1}}", 0, "must be a string"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) expect_refused(BAD[i].header, BAD[i].n_data, BAD[i].words);
}

static void test_header_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t n_data;
    } GOOD[] = {
        {"{}", 0},
        {"{}      ", 0},
        {"{\"__metadata__\":{\"format\":\"pt\",\"more\":\"\"}}", 0},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[0,0]}}", 0},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3],\"extra\":1},\"a\":{\"dtype\":\"BOOL\","
         "\"shape\":"
         "[1],\"data_offsets\":[0,1]},\"e\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[1,1]}}",
         3},
    };
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        Err err;
        if (open_raw(GOOD[i].header, GOOD[i].n_data, &err)) fail_msg("%s: %s", GOOD[i].header, err.msg);
    }
}

static void test_header_length(void **state)
{
    (void)state;
    static const uint64_t LENGTH[] = {
        0, 1, 99, 100 * 1000 * 1000 + 1, UINT64_C(1) << 32, INT64_MAX, UINT64_MAX, UINT64_MAX - 7};
    unsigned char bytes[10] = {0, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    for (size_t i = 0; i < sizeof LENGTH / sizeof *LENGTH; i++) {
        SafeTensors st;
        Err err = {0};
        memcpy(bytes, &LENGTH[i], 8);
        assert_int_equal(st_open_bytes(&st, bytes, sizeof bytes, "x", &err), -1);
        assert_non_null(strchr(err.msg, ':'));
        st_close(&st); /* allowed after an error */
    }
}

/* ---- round trips ------------------------------------------------------------------------------------------------- */

static unsigned char PATTERN[4096];

static void fill_pattern(void *dst, const void *arg)
{
    const StItem *t = arg;
    memcpy(dst, PATTERN + t->dim[0], (size_t)t->dim[0] * dtype_size(t->dtype));
}

/* One tensor of each format, odd lengths, so that data would be misaligned in the given order. */
static int all_dtypes(StItem item[DT_COUNT], char name[DT_COUNT][16])
{
    for (int t = 0; t < DT_COUNT; t++) {
        snprintf(name[t], 16, "t.%s", dtype_name((DType)t));
        item[t] = (StItem){.name = name[t], .dtype = (DType)t, .n_dims = 1, .dim = {3 + 2 * t}};
        if (t % 2) item[t].data = PATTERN + item[t].dim[0];
        else item[t].fill = fill_pattern, item[t].arg = &item[t];
    }
    return DT_COUNT;
}

static void expect_items(const SafeTensors *st, const StItem *item, int n)
{
    assert_int_equal(st->n, n);
    assert_string_equal(st->metadata_format, "pt");
    for (int i = 0; i < n; i++) {
        const StTensor *t = st_find(st, item[i].name);
        assert_non_null(t);
        assert_int_equal(t->dtype, item[i].dtype);
        assert_int_equal(t->n_dims, item[i].n_dims);
        assert_memory_equal(t->dim, item[i].dim, sizeof t->dim);
        assert_int_equal((uintptr_t)t->data % dtype_size(t->dtype), 0);
        assert_int_equal(t->bytes, (size_t)st_count(t) * dtype_size(t->dtype));
        assert_memory_equal(t->data, PATTERN + item[i].dim[0], t->bytes);
    }
    for (int i = 1; i < st->n; i++) assert_true(strcmp(st->tensor[i - 1].name, st->tensor[i].name) < 0);
}

static void test_round_trip_all_dtypes(void **state)
{
    (void)state;
    StItem item[DT_COUNT];
    char name[DT_COUNT][16];
    int n = all_dtypes(item, name);
    char *dir = scratch_new(), *path = path_join(dir, "all.safetensors");
    Err err = {0};
    SafeTensors st;
    assert_int_equal(st_save(path, item, n, &err), 0);
    assert_int_equal(st_open(&st, path, &err), 0);
    expect_items(&st, item, n);
    for (int i = 0; i < st.n; i++) assert_false(st.tensor[i].copied);
    assert_null(st_find(&st, "t.none"));
    st_close(&st);
    free(path);
    scratch_free(dir);
}

static void test_nan_empty_scalar_and_names(void **state)
{
    (void)state;
    const uint32_t odd[3] = {0x7fc00000, 0xff800000, 0x00000001}; /* NaN, -infinity, a subnormal */
    StItem item[] = {
        {.name = "with \"quotes\" \\ and \xc3\xa9\n", .dtype = DT_F32, .n_dims = 2, .dim = {1, 3}, .data = odd},
        {.name = "empty", .dtype = DT_BF16, .n_dims = 2, .dim = {0, 5}},
        {.name = "scalar", .dtype = DT_F32, .data = odd},
        {.name = "deep", .dtype = DT_U8, .n_dims = 8, .dim = {1, 2, 1, 1, 2, 1, 1, 3}, .data = odd},
    };
    char *dir = scratch_new(), *path = path_join(dir, "x.safetensors");
    Err err = {0};
    SafeTensors st;
    assert_int_equal(st_save(path, item, 4, &err), 0);
    assert_int_equal(st_open(&st, path, &err), 0);
    assert_int_equal(st.n, 4);
    for (int i = 0; i < 4; i++) {
        const StTensor *t = st_find(&st, item[i].name);
        assert_non_null(t);
        assert_int_equal(t->n_dims, item[i].n_dims);
        if (t->bytes) assert_memory_equal(t->data, odd, t->bytes);
    }
    assert_int_equal(st_count(st_find(&st, "empty")), 0);
    assert_int_equal(st_count(st_find(&st, "scalar")), 1);
    st_close(&st);
    free(path);
    scratch_free(dir);
}

/* The format's own layout: 8-byte aligned data after a header padded with spaces, no byte more. */
static void test_exact_bytes(void **state)
{
    (void)state;
    const uint8_t u8[3] = {1, 2, 3};
    const float f32[1] = {1};
    StItem item[] = {{.name = "b", .dtype = DT_U8, .n_dims = 1, .dim = {3}, .data = u8},
                     {.name = "a", .dtype = DT_F32, .n_dims = 1, .dim = {1}, .data = f32}};
    static const char HEADER[] = "{\"__metadata__\":{\"format\":\"pt\"},"
                                 "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                                 "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[4,7]}}";
    char *dir = scratch_new(), *path = path_join(dir, "x.safetensors");
    Err err = {0};
    Buf b = {0};
    assert_int_equal(st_save(path, item, 2, &err), 0);
    assert_int_equal(file_read(&b, path, 4096, &err), 0);
    uint64_t n;
    memcpy(&n, b.data, 8);
    assert_int_equal(n % 8, 0);
    assert_int_equal(n, (strlen(HEADER) + 7) / 8 * 8);
    assert_memory_equal(b.data + 8, HEADER, strlen(HEADER));
    for (size_t i = strlen(HEADER); i < n; i++) assert_int_equal(b.data[8 + i], ' ');
    assert_int_equal(b.len, 8 + n + 7);
    assert_memory_equal(b.data + 8 + n, "\0\0\x80\x3f\1\2\3", 7);
    buf_release(&b);
    free(path);
    scratch_free(dir);
}

/* A header of any length puts the data at any address; what is handed out can be read all the same. */
static void test_misaligned_file(void **state)
{
    (void)state;
    for (int pad = 0; pad < 8; pad++) {
        Buf b = {0};
        SafeTensors st;
        Err err = {0};
        char header[128];
        snprintf(header, sizeof header, "{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}%*s", pad, "");
        raw_file(&b, header, 0);
        double x = 0.125 * pad;
        buf_add(&b, &x, 8);
        assert_int_equal(st_open_bytes(&st, (const unsigned char *)b.data, b.len, "x", &err), 0);
        assert_int_equal((uintptr_t)st.tensor[0].data % 8, 0);
        assert_true(*(const double *)(const void *)st.tensor[0].data == x);
        st_close(&st);
        buf_release(&b);
    }
}

/* ---- corruption -------------------------------------------------------------------------------------------------- */

static void saved_bytes(Buf *b)
{
    StItem item[DT_COUNT];
    char name[DT_COUNT][16];
    int n = all_dtypes(item, name);
    char *dir = scratch_new(), *path = path_join(dir, "x.safetensors");
    Err err = {0};
    assert_int_equal(st_save(path, item, n, &err), 0);
    assert_int_equal(file_read(b, path, 1 << 20, &err), 0);
    free(path);
    scratch_free(dir);
}

static void test_truncated_at_each_byte(void **state)
{
    (void)state;
    Buf b = {0};
    saved_bytes(&b);
    for (size_t n = 0; n < b.len; n++) {
        unsigned char *part = xmalloc(n + 1); /* a block of its own: the sanitizer sees a read past the end */
        memcpy(part, b.data, n);
        SafeTensors st;
        Err err = {0};
        if (st_open_bytes(&st, part, n, "x", &err) == 0) fail_msg("%zu of %zu bytes were accepted", n, b.len);
        assert_true(err.msg[0]);
        free(part);
    }
    buf_release(&b);
}

/* Any single changed byte is refused or gives tensors that lie within the file. */
static void test_flipped_bytes(void **state)
{
    (void)state;
    Buf b = {0};
    saved_bytes(&b);
    uint64_t header;
    memcpy(&header, b.data, 8);
    for (size_t i = 0; i < 8 + header; i++)
        for (int bit = 0; bit < 8; bit++) {
            b.data[i] ^= (char)(1 << bit);
            SafeTensors st;
            Err err = {0};
            if (st_open_bytes(&st, (const unsigned char *)b.data, b.len, "x", &err) == 0) {
                unsigned sum = 0;
                for (int t = 0; t < st.n; t++)
                    for (size_t k = 0; k < st.tensor[t].bytes; k++) sum += st.tensor[t].data[k];
                assert_true(sum > 0);
                st_close(&st);
            }
            b.data[i] ^= (char)(1 << bit);
        }
    buf_release(&b);
}

/* ---- files that others wrote ------------------------------------------------------------------------------------- */

/* Element k of t as a number. */
static double element(const StTensor *t, size_t k)
{
    const unsigned char *p = t->data + k * dtype_size(t->dtype);
    double x;
    int64_t i = 0;
    switch (t->dtype) {
    case DT_F32:
    case DT_BF16:
    case DT_F16:
    case DT_F64: dtype_convert(&x, DT_F64, p, t->dtype, 1); return x;
    default: memcpy(&i, p, dtype_size(t->dtype)); return (double)i;
    }
}

/* tests/data/weights/python.safetensors, written by the safetensors package (tools/make_weights_golden.py). */
static void test_python_file(void **state)
{
    (void)state;
    SafeTensors st;
    Err err = {0};
    if (st_open(&st, "tests/data/weights/python.safetensors", &err)) fail_msg("%s", err.msg);
    assert_int_equal(st.n, DT_COUNT);
    assert_string_equal(st.metadata_format, "pt");
    for (int i = 0; i < DT_COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "x.%s", dtype_name((DType)i));
        const StTensor *t = st_find(&st, name);
        assert_non_null(t);
        assert_int_equal(t->dtype, i);
        assert_int_equal(t->n_dims, 2);
        assert_int_equal(t->dim[0], 3);
        assert_int_equal(t->dim[1], i + 1);
        for (int64_t k = 0; k < st_count(t); k++) {
            int64_t want = (7 * k + i) % 100;
            assert_true(element(t, (size_t)k) == (double)(i == DT_BOOL ? want != 0 : want));
        }
    }
    st_close(&st);
}

/* A checkpoint or adapter that transformers or PEFT saved: it opens, and holds `name` with n_dims dimensions. */
static void expect_checkpoint(const char *folder, const char *base, bool sharded, const char *name, int n_dims)
{
    const char *root = getenv("OSLER_GOLDENS");
    char *dir = xasprintf("%s/%s", root ? root : "../shared/goldens", folder);
    bool found = dir_exists(dir);
    SafeTensors st = {0};
    Err err = {0};
    int rc = found ? st_open_dir(&st, dir, base, &err) : 0;
    free(dir);
    if (!found) skip();
    if (rc) fail_msg("%s", err.msg);
    assert_int_equal(st.sharded, sharded);
    assert_string_equal(st.metadata_format, "pt");
    assert_non_null(st_find(&st, name));
    assert_int_equal(st_find(&st, name)->n_dims, n_dims);
    st_close(&st);
}

static void test_transformers_single(void **state)
{
    (void)state;
    expect_checkpoint("tied/model", "model", false, "visual.patch_embed.proj.weight", 5);
}

static void test_transformers_sharded(void **state)
{
    (void)state;
    expect_checkpoint("untied/model", "model", true, "lm_head.weight", 2);
}

static void test_peft_adapter(void **state)
{
    (void)state;
    expect_checkpoint("lora/adapter", "adapter_model", false,
                      "base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.weight", 2);
}

int main(void)
{
    for (size_t i = 0; i < sizeof PATTERN; i++) PATTERN[i] = (unsigned char)(i * 37 + i / 251 + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_refusals),
        cmocka_unit_test(test_header_accepted),
        cmocka_unit_test(test_header_length),
        cmocka_unit_test(test_round_trip_all_dtypes),
        cmocka_unit_test(test_nan_empty_scalar_and_names),
        cmocka_unit_test(test_exact_bytes),
        cmocka_unit_test(test_misaligned_file),
        cmocka_unit_test(test_truncated_at_each_byte),
        cmocka_unit_test(test_flipped_bytes),
        cmocka_unit_test(test_python_file),
        cmocka_unit_test(test_transformers_single),
        cmocka_unit_test(test_transformers_sharded),
        cmocka_unit_test(test_peft_adapter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
