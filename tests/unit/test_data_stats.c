/* data/stats: counts, spreads, images that cannot be opened, what is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "data/stats.h"
#include "data_fixture.h"

static const char *const ROWS =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"<image><image>Q\"},"
    "{\"role\":\"assistant\",\"content\":\"A\"}],\"images\":[\"img/a.png\",\"img/c.png\"]}\n"
    "{\"messages\":[{\"role\":\"user\",\"content\":\"<image>Q\"},{\"role\":\"assistant\",\"content\":\"A\",\"loss\":"
    "false}],"
    "\"images\":[\"img/a.png\"]}\n"
    "{\"messages\":[{\"role\":\"user\",\"content\":\"<image>Q\"}],\"images\":[\"img/text.png\"]}\n"
    "{\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}\n"
    "{\"prompt\":\"P\",\"chosen\":\"cc\",\"rejected\":\"r\"}\n"
    "{\"prompt\":\"P\",\"chosen\":\"cc\",\"rejected\":\"r\"}\n"
    "{\"instruction\":\"<image>I\",\"output\":\"O\",\"images\":[\"img/broken.png\"]}\n";

static Dataset rows(void)
{
    Dataset d = {0};
    Err err = {0};
    assert_int_equal(dataset_parse(&d, DATA_DIR "rows.jsonl", ROWS, strlen(ROWS), &err), 0);
    return d;
}

static void test_spread(void **state)
{
    (void)state;
    int value[100];
    for (int i = 0; i < 100; i++) value[i] = (i * 37 + 5) % 100 + 1;
    Spread s = spread_of(value, 100);
    assert_true(s.min == 1 && s.median == 50 && s.p95 == 95 && s.max == 100 && s.total == 5050);
    s = spread_of(value, 1);
    assert_true(s.min == value[0] && s.median == value[0] && s.p95 == value[0] && s.max == value[0]);
    assert_int_equal(spread_of(NULL, 0).n, 0);
}

static void test_counts(void **state)
{
    (void)state;
    Dataset d = rows();
    DataStats st;
    data_stats(&st, &d, NULL, false);
    assert_int_equal(st.n_files, 1);
    assert_int_equal(st.file[0].samples, 6);
    assert_int_equal(st.file[0].bad, 1);
    assert_int_equal(st.file[0].by_format[DATA_MESSAGES], 5);
    assert_int_equal(st.file[0].by_format[DATA_ALPACA], 1);
    assert_true(st.samples == 6 && st.pairs == 2 && st.text_only == 2 && st.duplicates == 1);
    assert_true(st.system == 1 && st.user == 6 && st.assistant == 3 && st.untrained == 1);
    assert_true(st.images == 5 && st.distinct_images == 4 && st.unreadable_images == 1);
    assert_true(st.width.n == 3 && st.width.min == 56 && st.width.max == 112 && st.height.max == 140);
    assert_int_equal(st.n_bad, 1);
    assert_int_equal(st.bad[0].at.line, 3);
    assert_int_equal(st.tokens.n, 0);
    data_stats_release(&st);
    data_stats(&st, &d, NULL, true);
    assert_int_equal(st.unreadable_images, 2);
    assert_int_equal(st.n_bad, 2);
    assert_int_equal(st.bad[1].at.line, 7);
    data_stats_release(&st);
    dataset_release(&d);
}

static char *printed(const Dataset *d, const DataStats *st)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    data_stats_print(f, st);
    data_bad_print(f, d, st);
    fclose(f);
    return text;
}

static void expect_text(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void test_tokens_and_text(void **state)
{
    (void)state;
    Fixture f;
    fixture_open(&f, 90);
    Dataset d = rows();
    DataStats st;
    data_stats(&st, &d, &f.encoder, false);
    /* Line 1: 62 tokens, 2: 67, 5 and 6: 58 of the prompt and 3 + 2 of the answers, 7: 83 (its header can be read). */
    assert_int_equal(st.tokens.n, 5);
    assert_int_equal(st.tokens.total, 62 + 67 + 63 + 63 + 83);
    assert_true(st.tokens.min == 62 && st.tokens.median == 63 && st.tokens.max == 83);
    assert_true(st.image_tokens.n == 3 && st.image_tokens.min == 4 && st.image_tokens.max == 20);
    assert_int_equal(st.targets.total, 2 + 0 + 5 + 5 + 2);
    assert_true(st.length[5] == 3 && st.length[6] == 2);
    char *text = printed(&d, &st);
    expect_text(text, DATA_DIR "rows.jsonl: 6 samples, messages 5, alpaca 1, 1 bad row\n");
    expect_text(text, "5 uses of 4 images, 1 unreadable\n");
    expect_text(text, DATA_DIR "rows.jsonl:4: messages[0]: the user message is empty\n");
    expect_text(text, DATA_DIR "rows.jsonl:3: " IMG "text.png");
    assert_true(strstr(text, "rows.jsonl:3: ") < strstr(text, "rows.jsonl:4: "));
    free(text);
    data_stats_release(&st);
    fixture_close(&f);

    fixture_open(&f, 70);
    data_stats(&st, &d, &f.encoder, false);
    text = printed(&d, &st);
    expect_text(text, "rows.jsonl:7: 83 tokens (20 of 1 image, 63 of text) are more than max_length 70\n");
    expect_text(text, "  hint: raise max_length to 83");
    free(text);
    data_stats_release(&st);
    dataset_release(&d);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_tokens_and_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
