/* Any bytes as JSON: no crash; what parses is written and parses again to an equal value; strings are always valid. */
#include <stdint.h>

#include "base/json.h"

static void round_trip(const json_t *v)
{
    Buf b = {0};
    Err err = {0};
    json_append(&b, v);
    json_t *again = json_parse(b.data, b.len, &err);
    CHECK(again, "%s in %s", err.msg, b.data);
    CHECK(json_equal(v, again), "%s reads back as another value", b.data);
    json_decref(again);
    buf_release(&b);
}

static void get_all(const json_t *v)
{
    static const char *const KEY[] = {"a", "id", "messages"};
    for (int i = 0; i < 3; i++) {
        Err err = {0};
        int n;
        int64_t wide;
        double x;
        bool yes;
        const char *s;
        const json_t *sub;
        json_get_int(v, KEY[i], &n, true, &err);
        json_get_i64(v, KEY[i], &wide, false, &err);
        json_get_num(v, KEY[i], &x, true, &err);
        json_get_bool(v, KEY[i], &yes, false, &err);
        json_get_str(v, KEY[i], &s, true, &err);
        json_get_array(v, KEY[i], &sub, true, &err);
        json_get_object(v, KEY[i], &sub, false, &err);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Err err = {0};
    json_t *v = json_parse((const char *)data, size, &err);
    CHECK(v || err.msg[0], "a failure without a message");
    if (v) {
        get_all(v);
        if (json_is_object(v) || json_is_array(v)) round_trip(v);
        json_decref(v);
    }

    Buf b = {0};
    err_clear(&err);
    buf_byte(&b, '[');
    json_append_str(&b, (const char *)data, size);
    buf_byte(&b, ']');
    v = json_parse(b.data, b.len, &err);
    CHECK(v, "json_append_str wrote %s: %s", b.data, err.msg);
    json_decref(v);
    buf_release(&b);
    return 0;
}
