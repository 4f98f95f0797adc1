/* Batch normalisation with ReLU, and max-pooling, forward and backward. Called by layers.py.

   Feature maps are channels last, in bfloat16 or float32. NaN stays NaN, as in torch. Functions that need memory return
   1 where none was left, otherwise 0. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ROW 256
#define ROWS_A_SUM 64

typedef uint16_t bf16;
typedef float fp32;

static inline float load_bf16(bf16 value) {
    uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, 4);
    return result;
}

/* To the nearest, ties to even. NaN as arithmetic makes it stays NaN: its lower half is 0. */
static inline bf16 store_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return (bf16)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

static inline float load_fp32(fp32 value) { return value; }
static inline fp32 store_fp32(float value) { return value; }

static size_t row_of(size_t channels) {
    return channels >= ROW ? channels : channels * ((ROW + channels - 1) / channels);
}

/* values[channels] again and again until the row is full. */
static void repeat(const float *values, size_t channels, size_t row, float *result) {
    for (size_t start = 0; start < row; start += channels) memcpy(result + start, values, channels * sizeof(float));
}

static void fold(const double *sums, size_t channels, size_t row, double *result) {
    for (size_t i = 0; i < channels; i++) result[i] = 0;
    for (size_t start = 0; start < row; start += channels)
        for (size_t i = 0; i < channels; i++) result[i] += sums[start + i];
}

/* Batch normalisation with the batch's own statistics and ReLU, as one operation.

   n positions of so many channels each. Sums of a few rows are float32, of all rows double. Channels are repeated to
   rows of at least ROW values, so that the inner loops are long enough for the compiler to vectorise; the last row may
   be shorter. */
#define BATCH_NORM_RELU(T)                                                                                             \
    static void sum_##T(const T *restrict x, size_t total, size_t row, const float *restrict centre,                   \
                        float *restrict part, double *restrict sums) {                                                 \
        float *restrict first = part, *restrict second = part + row;                                                   \
        for (size_t begin = 0; begin < total; begin += ROWS_A_SUM * row) {                                             \
            memset(part, 0, 2 * row * sizeof(float));                                                                  \
            for (size_t at = begin; at < total && at < begin + ROWS_A_SUM * row; at += row) {                          \
                size_t length = total - at < row ? total - at : row;                                                   \
                for (size_t i = 0; i < length; i++) {                                                                  \
                    float value = load_##T(x[at + i]) - centre[i];                                                     \
                    first[i] += value;                                                                                 \
                    second[i] += value * value;                                                                        \
                }                                                                                                      \
            }                                                                                                          \
            for (size_t i = 0; i < 2 * row; i++) sums[i] += part[i];                                                   \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static void activate_##T(const T *restrict x, T *restrict y, size_t total, size_t row,                             \
                             const float *restrict scale, const float *restrict shift) {                               \
        for (size_t at = 0; at < total; at += row) {                                                                   \
            size_t length = total - at < row ? total - at : row;                                                       \
            for (size_t i = 0; i < length; i++) {                                                                      \
                float value = load_##T(x[at + i]) * scale[i] + shift[i];                                               \
                y[at + i] = store_##T(value < 0 ? 0 : value);                                                          \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static void sum_gradient_##T(const T *restrict gradient, const T *restrict x, size_t total, size_t row,            \
                                 const float *restrict scale, const float *restrict shift,                             \
                                 const float *restrict centre, float *restrict part, double *restrict sums) {          \
        float *restrict first = part, *restrict second = part + row;                                                   \
        for (size_t begin = 0; begin < total; begin += ROWS_A_SUM * row) {                                             \
            memset(part, 0, 2 * row * sizeof(float));                                                                  \
            for (size_t at = begin; at < total && at < begin + ROWS_A_SUM * row; at += row) {                          \
                size_t length = total - at < row ? total - at : row;                                                   \
                for (size_t i = 0; i < length; i++) {                                                                  \
                    float value = load_##T(x[at + i]), slope = load_##T(gradient[at + i]);                             \
                    slope = value * scale[i] + shift[i] <= 0 ? 0 : slope;                                              \
                    first[i] += slope;                                                                                 \
                    second[i] += slope * (value - centre[i]);                                                          \
                }                                                                                                      \
            }                                                                                                          \
            for (size_t i = 0; i < 2 * row; i++) sums[i] += part[i];                                                   \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static void pass_back_##T(const T *restrict gradient, const T *restrict x, T *restrict result, size_t total,       \
                              size_t row, const float *restrict scale, const float *restrict shift,                    \
                              const float *restrict slant, const float *restrict level) {                              \
        for (size_t at = 0; at < total; at += row) {                                                                   \
            size_t length = total - at < row ? total - at : row;                                                       \
            for (size_t i = 0; i < length; i++) {                                                                      \
                float value = load_##T(x[at + i]), slope = load_##T(gradient[at + i]);                                 \
                slope = value * scale[i] + shift[i] <= 0 ? 0 : slope;                                                  \
                result[at + i] = store_##T(slope * scale[i] + value * slant[i] + level[i]);                            \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    /* saved: scale, shift, mean and inverse standard deviation of each channel, for the way back. */                  \
    int norm_forward_##T(const T *x, T *y, size_t n, size_t channels, const float *weight, const float *bias,          \
                    float *running_mean, float *running_variance, double momentum, double epsilon, float *saved) {     \
        size_t row = row_of(channels), total = n * channels;                                                           \
        double *sums = calloc(2 * row + 2 * channels, sizeof(double));                                                 \
        float *part = malloc(4 * row * sizeof(float));                                                                 \
        if (sums && part) {                                                                                            \
            double *first = sums + 2 * row, *second = first + channels;                                                \
            float *centre = saved + 2 * channels, *deviation = centre + channels;                                      \
            /* Sums of what differs from the first position's values: nothing cancels where the mean is large. */      \
            for (size_t c = 0; c < channels; c++) centre[c] = load_##T(x[c]);                                          \
            repeat(centre, channels, row, part + 2 * row);                                                             \
            sum_##T(x, total, row, part + 2 * row, part, sums);                                                        \
            fold(sums, channels, row, first);                                                                          \
            fold(sums + row, channels, row, second);                                                                   \
            for (size_t c = 0; c < channels; c++) {                                                                    \
                double difference = first[c] / n, mean = centre[c] + difference;                                       \
                double variance = second[c] / n - difference * difference;                                             \
                variance = variance < 0 ? 0 : variance;                                                                \
                double inverse = 1 / sqrt(variance + epsilon), scale = weight[c] * inverse;                            \
                running_mean[c] += momentum * (mean - running_mean[c]);                                                \
                running_variance[c] += momentum * (variance * n / (n - 1) - running_variance[c]);                      \
                saved[c] = scale;                                                                                      \
                saved[channels + c] = bias[c] - mean * scale;                                                          \
                centre[c] = mean;                                                                                      \
                deviation[c] = inverse;                                                                                \
            }                                                                                                          \
            repeat(saved, channels, row, part);                                                                        \
            repeat(saved + channels, channels, row, part + row);                                                       \
            activate_##T(x, y, total, row, part, part + row);                                                          \
        }                                                                                                              \
        int failed = !sums || !part;                                                                                   \
        free(sums);                                                                                                    \
        free(part);                                                                                                    \
        return failed;                                                                                                 \
    }                                                                                                                  \
                                                                                                                       \
    int norm_backward_##T(const T *gradient, const T *x, T *result, size_t n, size_t channels, const float *saved,     \
                     float *of_weight, float *of_bias) {                                                               \
        size_t row = row_of(channels), total = n * channels;                                                           \
        double *sums = calloc(2 * row + 2 * channels, sizeof(double));                                                 \
        float *part = malloc((5 * row + 2 * channels) * sizeof(float));                                                \
        if (sums && part) {                                                                                            \
            double *first = sums + 2 * row, *second = first + channels;                                                \
            const float *mean = saved + 2 * channels, *deviation = mean + channels;                                    \
            float *scale = part + 2 * row, *shift = scale + row, *last = shift + row, *slant = last + row;             \
            float *level = slant + channels;                                                                           \
            repeat(saved, channels, row, scale);                                                                       \
            repeat(saved + channels, channels, row, shift);                                                            \
            repeat(mean, channels, row, last);                                                                         \
            sum_gradient_##T(gradient, x, total, row, scale, shift, last, part, sums);                                 \
            fold(sums, channels, row, first);                                                                          \
            fold(sums + row, channels, row, second);                                                                   \
            for (size_t c = 0; c < channels; c++) {                                                                    \
                double inverse = deviation[c];                                                                         \
                of_weight[c] = second[c] * inverse;                                                                    \
                of_bias[c] = first[c];                                                                                 \
                double angle = -saved[c] * inverse * inverse * second[c] / n;                                          \
                slant[c] = angle;                                                                                      \
                level[c] = -saved[c] * first[c] / n - angle * mean[c];                                                 \
            }                                                                                                          \
            repeat(slant, channels, row, part);                                                                        \
            repeat(level, channels, row, part + row);                                                                  \
            pass_back_##T(gradient, x, result, total, row, scale, shift, part, part + row);                            \
        }                                                                                                              \
        int failed = !sums || !part;                                                                                   \
        free(sums);                                                                                                    \
        free(part);                                                                                                    \
        return failed;                                                                                                 \
    }

BATCH_NORM_RELU(bf16)
BATCH_NORM_RELU(fp32)

/* The larger of two as max-pooling takes it: NaN before numbers, the first of equals. */
#define LARGER(a, b) ((b) > (a) || (b) != (b) ? (b) : (a))

/* Max-pooling of 2x2 pixels by steps of 2; an odd last row or column is left out. The gradient goes to the first of the
   largest, row by row. */
#define MAX_POOL(T)                                                                                                    \
    int pool_forward_##T(const T *restrict x, T *restrict y, size_t n, size_t height, size_t width, size_t channels) { \
        for (size_t image = 0; image < n; image++)                                                                     \
            for (size_t row = 0; row < height / 2; row++)                                                              \
                for (size_t column = 0; column < width / 2; column++, y += channels) {                                 \
                    const T *upper = x + ((image * height + 2 * row) * width + 2 * column) * channels;                 \
                    const T *lower = upper + width * channels;                                                         \
                    for (size_t c = 0; c < channels; c++) {                                                            \
                        float first = load_##T(upper[c]), second = load_##T(upper[channels + c]);                      \
                        float third = load_##T(lower[c]), fourth = load_##T(lower[channels + c]);                      \
                        first = LARGER(first, second);                                                                 \
                        first = LARGER(first, third);                                                                  \
                        y[c] = store_##T(LARGER(first, fourth));                                                       \
                    }                                                                                                  \
                }                                                                                                      \
        return 0;                                                                                                      \
    }                                                                                                                  \
                                                                                                                       \
    /* The result has zeros where no gradient goes, before it is called. */                                            \
    int pool_backward_##T(const T *restrict gradient, const T *restrict x, T *restrict result, size_t n, size_t height,\
                          size_t width, size_t channels) {                                                             \
        for (size_t image = 0; image < n; image++)                                                                     \
            for (size_t row = 0; row < height / 2; row++)                                                              \
                for (size_t column = 0; column < width / 2; column++, gradient += channels) {                          \
                    size_t at = ((image * height + 2 * row) * width + 2 * column) * channels;                          \
                    const T *upper = x + at, *lower = upper + width * channels;                                        \
                    T *above = result + at, *below = above + width * channels;                                         \
                    for (size_t c = 0; c < channels; c++) {                                                            \
                        float first = load_##T(upper[c]), second = load_##T(upper[channels + c]);                      \
                        float third = load_##T(lower[c]), fourth = load_##T(lower[channels + c]);                      \
                        float left = LARGER(first, second), right = LARGER(third, fourth);                             \
                        int in_second = second > first || second != second;                                            \
                        int in_fourth = fourth > third || fourth != fourth;                                            \
                        int in_lower = right > left || right != right;                                                 \
                        T slope = gradient[c];                                                                         \
                        above[c] = !in_lower && !in_second ? slope : 0;                                                \
                        above[channels + c] = !in_lower && in_second ? slope : 0;                                      \
                        below[c] = in_lower && !in_fourth ? slope : 0;                                                 \
                        below[channels + c] = in_lower && in_fourth ? slope : 0;                                       \
                    }                                                                                                  \
                }                                                                                                      \
        return 0;                                                                                                      \
    }

MAX_POOL(bf16)
MAX_POOL(fp32)
