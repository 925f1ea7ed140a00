/* test_frames.c: messages behind their lengths, however the stream is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "dnsproxy/frames.h"
#include "src/util.h"

static struct frames frames;

static void add(const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t size;
        uint8_t *room = frames_room(&frames, &size);

        assert_true(size > 0);
        size = size < len ? size : len;
        memcpy(room, data, size);
        frames_add(&frames, size);
        data += size;
        len -= size;
    }
}

/* Two messages of 12 and 300 bytes, given by so many bytes at a time. */
static void test_each_cut(void **state)
{
    uint8_t stream[2 + 12 + 2 + 300];
    const uint8_t *message;
    size_t len, got;

    (void)state;
    for (size_t i = 0; i < sizeof(stream); i++)
        stream[i] = (uint8_t)i;
    memcpy(stream, "\0\x0c", 2);
    memcpy(stream + 14, "\x01\x2c", 2);
    for (size_t step = 1; step <= sizeof(stream); step++) {
        memset(&frames, 0, sizeof(frames));
        got = 0;
        for (size_t at = 0; at < sizeof(stream); at += step) {
            add(stream + at, sizeof(stream) - at < step ? sizeof(stream) - at : step);
            while (frames_take(&frames, &message, &len) == 1) {
                assert_int_equal(len, got == 0 ? 12 : 300);
                assert_memory_equal(message, stream + (got == 0 ? 2 : 16), len);
                got++;
            }
        }
        assert_int_equal(got, 2);
        assert_int_equal(frames_take(&frames, &message, &len), 0);
    }
}

static void test_longest(void **state)
{
    uint8_t *stream = xcalloc(3, FRAME_PREFIX + FRAME_MAX);
    const uint8_t *message;
    size_t len, left, size;

    (void)state;
    memset(&frames, 0, sizeof(frames));
    for (size_t i = 0; i < 3; i++)
        memset(stream + i * (FRAME_PREFIX + FRAME_MAX), 0xff, 2);
    left = 3 * (FRAME_PREFIX + FRAME_MAX) - 7;
    for (int taken = 0; taken < 2; taken++) {
        while (frames_take(&frames, &message, &len) == 0) {
            uint8_t *room = frames_room(&frames, &size);
            assert_true(size > 0 && room + size == frames.data + sizeof(frames.data));
            memcpy(room, stream + 3 * (FRAME_PREFIX + FRAME_MAX) - 7 - left, size);
            frames_add(&frames, size);
            left -= size;
        }
        assert_int_equal(len, FRAME_MAX);
    }
    free(stream);
}

static void test_too_short(void **state)
{
    const uint8_t *message;
    size_t len;

    (void)state;
    for (uint8_t n = 0; n < 12; n++) {
        memset(&frames, 0, sizeof(frames));
        add((const uint8_t[]){0, n}, 2);
        assert_int_equal(frames_take(&frames, &message, &len), -EPROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_cut),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_too_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
