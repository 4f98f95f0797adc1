/* Batch normalisation with the batch's own statistics and ReLU, as one operation, forward and backward.

   Feature maps are channels last: n positions of so many channels each, in bfloat16 or float32. Sums of a few rows are
   float32, of all rows double. Channels are repeated to rows of at least ROW values, so that the inner loops are long
   enough for the compiler to vectorise; the last row may be shorter. NaN stays NaN, as in torch.

   Called by batch_norm_relu.py. Each function returns 0, or 1 where no memory was left. */
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

/* To the nearest, ties to even. */
static inline bf16 store_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return (bf16)(value != value ? 0x7fc0 : rounded);
}

static inline float load_fp32(fp32 value) { return value; }
static inline fp32 store_fp32(float value) { return value; }

static size_t row_of(size_t channels) { return channels >= ROW ? channels : channels * ((ROW + channels - 1) / channels); }

/* values[channels] again and again until the row is full. */
static void repeat(const float *values, size_t channels, size_t row, float *result) {
    for (size_t start = 0; start < row; start += channels) memcpy(result + start, values, channels * sizeof(float));
}

static void fold(const double *sums, size_t channels, size_t row, double *result) {
    for (size_t i = 0; i < channels; i++) result[i] = 0;
    for (size_t start = 0; start < row; start += channels)
        for (size_t i = 0; i < channels; i++) result[i] += sums[start + i];
}

#define OF_TYPE(T)                                                                                                     \
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
    int forward_##T(const T *x, T *y, size_t n, size_t channels, const float *weight, const float *bias,               \
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
    int backward_##T(const T *gradient, const T *x, T *result, size_t n, size_t channels, const float *saved,          \
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

OF_TYPE(bf16)
OF_TYPE(fp32)
