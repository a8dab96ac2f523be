/* Any bytes as a data file: rows are read or reported, never a crash, and what was read is sound. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "data/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_sample(const Sample *s)
{
    CHECK(s->n_msgs > 0 && s->id, "a sample without messages or id");
    CHECK(chat_count_images(s->msg, s->n_msgs) == s->n_images, "markers and images disagree");
    for (int i = 0; i < s->n_msgs; i++) {
        const char *role = s->msg[i].role;
        bool system = !strcmp(role, "system");
        CHECK(system || !strcmp(role, "user") || !strcmp(role, "assistant"), "role %s", role);
        CHECK(!system || i == 0, "system message %d", i);
        CHECK(system || s->msg[i].content[0], "message %d is empty", i);
    }
    CHECK(!s->chosen == !s->rejected, "half a pair");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Dataset d = {0};
    Err err = {0};
    int rc = dataset_parse(&d, "fuzz.jsonl", (const char *)data, size, &err);
    CHECK((rc == 0) == (err.msg[0] == 0), "return value and message disagree");
    for (int i = 0; i < d.n; i++) {
        Sample copy;
        sample_copy(&copy, &d.sample[i]);
        check_sample(&copy);
        sample_release(&copy);
    }
    dataset_release(&d);
    return 0;
}
