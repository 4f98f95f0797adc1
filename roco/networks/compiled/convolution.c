/* The gradient of a 3x3 convolution's weight, in bfloat16. Called by convolution.py.

   Only where the processor multiplies pairs of bfloat16 (AVX-512 BF16): elsewhere this file gives no function. */
#ifdef __AVX512BF16__
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint16_t bf16;

#define LANES 16     /* outputs in a register */
#define GROUP 8      /* inputs whose sums stay in registers, for each of the three rows of a kernel */
#define SUMS (3 * GROUP * LANES)
#define PIXELS 1024  /* that are copied at once, so that the copies stay in the cache */

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static __mmask16 first_lanes(size_t left) { return left >= LANES ? 0xffff : (__mmask16)((1 << left) - 1); }

/* Channels of a pixel of two images side by side: the processor adds up the products of both at once. */
static inline __m512i pair(const bf16 *one, const bf16 *other, __mmask16 lanes, __mmask16 other_lanes) {
    __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, one));
    __m512i high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(other_lanes, other));
    return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

/* Adds to the sums[kernel row][input of the group][output] what so many pairs of images give for one column of the kernel.
   Pixels of the gradient have LANES outputs, those of the images GROUP inputs; above and below the gradient is a row of
   zeros. */
static void add_products(const uint32_t *x, const uint32_t *gradient, float *sums, size_t pairs, size_t height,
                         size_t width) {
    size_t x_row = (width + 2) * GROUP, row = width * LANES;
    __m512 total[3][GROUP];
#pragma GCC unroll 24
    for (int i = 0; i < 3 * GROUP; i++) total[i / GROUP][i % GROUP] = _mm512_load_ps(sums + i * LANES);
    for (size_t i = 0; i < pairs; i++) {
        for (size_t y = 0; y < height; y++) {
            for (size_t at = 0; at < width; at++) {
                const uint32_t *slope = gradient + y * row + at * LANES;
                __m512bh above = (__m512bh)_mm512_load_si512(slope);
                __m512bh level = (__m512bh)_mm512_load_si512(slope + row);
                __m512bh below = (__m512bh)_mm512_load_si512(slope + 2 * row);
#pragma GCC unroll 8
                for (int k = 0; k < GROUP; k++) {
                    __m512bh value = (__m512bh)_mm512_set1_epi32((int)x[y * x_row + at * GROUP + k]);
                    /* The kernel's first row takes pixels to the row below them. */
                    total[0][k] = _mm512_dpbf16_ps(total[0][k], below, value);
                    total[1][k] = _mm512_dpbf16_ps(total[1][k], level, value);
                    total[2][k] = _mm512_dpbf16_ps(total[2][k], above, value);
                }
            }
        }
        x += height * x_row;
        gradient += (height + 2) * row;
    }
#pragma GCC unroll 24
    for (int i = 0; i < 3 * GROUP; i++) _mm512_store_ps(sums + i * LANES, total[i / GROUP][i % GROUP]);
}

/* x (n, height, width, inputs), gradient (n, height, width, outputs), result (outputs, 3, 3, inputs). Stride 1, a border
   of one pixel. Sums are float32 throughout. Returns 1 where no memory was left, otherwise 0. */
int weight_gradient_bf16(const bf16 *x, const bf16 *gradient, float *result, size_t n, size_t height, size_t width,
                         size_t inputs, size_t outputs) {
    size_t groups = (inputs + GROUP - 1) / GROUP, blocks = (outputs + LANES - 1) / LANES, pixels = height * width;
    size_t pairs = (n + 1) / 2, at_once = least(pairs, (PIXELS + pixels - 1) / pixels);
    size_t x_row = (width + 2) * GROUP, x_size = at_once * height * x_row;
    size_t row = width * LANES, size = at_once * (height + 2) * row;
    /* Groups are copied two at a time. */
    size_t copies = blocks * size + (groups + 1) / 2 * 2 * x_size, all_sums = blocks * 3 * groups * SUMS;
    uint32_t *slopes = aligned_alloc(64, (copies * sizeof(uint32_t) + 63) / 64 * 64), *values = slopes + blocks * size;
    float *sums = aligned_alloc(64, all_sums * sizeof(float));
    if (slopes && sums) {
        memset(slopes, 0, copies * sizeof(uint32_t));
        memset(sums, 0, all_sums * sizeof(float));
        for (size_t start = 0; start < pairs; start += at_once) {
            size_t count = least(at_once, pairs - start);
            for (size_t i = 0; i < count * height; i++) {
                size_t image = 2 * (start + i / height), y = i % height, first = (image * height + y) * width;
                int both = image + 1 < n;
                for (size_t c = 0; c < inputs; c += LANES) {
                    __mmask16 lanes = first_lanes(inputs - c);
                    uint32_t *to = values + c / GROUP * x_size + i * x_row + GROUP;
                    for (const bf16 *at = x + first * inputs + c, *end = at + width * inputs; at < end; at += inputs) {
                        __m512i found = pair(at, at + pixels * inputs, lanes, both ? lanes : 0);
                        _mm256_store_si256((__m256i *)to, _mm512_castsi512_si256(found));
                        _mm256_store_si256((__m256i *)(to + x_size), _mm512_extracti64x4_epi64(found, 1));
                        to += GROUP;
                    }
                }
                for (size_t c = 0; c < outputs; c += LANES) {
                    __mmask16 lanes = first_lanes(outputs - c);
                    const bf16 *at = gradient + first * outputs + c, *end = at + width * outputs;
                    uint32_t *to = slopes + c / LANES * size + (i / height * (height + 2) + y + 1) * row;
                    for (; at < end; at += outputs, to += LANES)
                        _mm512_store_si512(to, pair(at, at + pixels * outputs, lanes, both ? lanes : 0));
                }
            }
            for (size_t block = 0; block < blocks; block++)
                for (size_t column = 0; column < 3; column++)
                    for (size_t group = 0; group < groups; group++)
                        add_products(values + group * x_size + column * GROUP, slopes + block * size,
                                     sums + ((block * 3 + column) * groups + group) * SUMS, count, height, width);
        }
        for (size_t o = 0; o < outputs; o++)
            for (size_t place = 0; place < 9; place++)
                for (size_t c = 0; c < inputs; c++) {
                    size_t part = (o / LANES * 3 + place % 3) * groups + c / GROUP;
                    size_t within = (place / 3 * GROUP + c % GROUP) * LANES + o % LANES;
                    result[(o * 9 + place) * inputs + c] = sums[part * SUMS + within];
                }
    }
    int failed = !slopes || !sums;
    free(slopes);
    free(sums);
    return failed;
}
#endif
