"""Triton kernels of a phase of stacked networks. They read and write each map as rarely as possible; sums are float32.

A map lies in memory as rows of pixels, `(n * h * w, members * channels)`. `combine` adds up maps, some of them
multiplied by a matrix of the member. That is a join; with the matrices transposed it is the gradient of a map that
several joins have used. Nothing is added atomically, so the results are the same bits in each run.

MAPS may be larger than the number of maps, so that a few compiled variants suffice for all joins. The table then marks
the last maps as absent.
"""

import os

import triton
import triton.language as tl

# mypy: ignore-errors

# Round a * b + c once, as all versions of Triton have done so far. Version 3.9 warns that this will change.
os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")

# By default Triton compiles separate variants for the number 1 and for multiples of 16.
SIZES_VARY = triton.jit(
    do_not_specialize=["rows", "steps", "parts", "members", "sources", "first_source", "epsilon", "momentum"]
)


@SIZES_VARY
def combine(
    maps, weights, table, result, rows, widths, weight_strides, result_width, first_source,
    MAPS: tl.constexpr, CHANNELS: tl.constexpr, BLOCK: tl.constexpr, FORWARD: tl.constexpr,
):  # fmt: skip
    """A block of rows of the result for one member: the sum of those of maps 0 .. MAPS - 1 that the table names.

    An entry of the table is negative if the map is not used. Otherwise it is twice the member's position in the map,
    plus 1 if the member's matrix is to be applied. Matrices are `(positions, outputs, sources, inputs)`. Forward, all
    maps share one tensor of matrices, and map i is its source i. Backward, map i is the gradient of a join that has
    matrices of its own, of which the source `first_source` is used.
    """
    member = tl.program_id(0)
    row = (tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)).to(tl.int64)
    channel = tl.arange(0, CHANNELS)
    inside = row[:, None] < rows
    total = tl.zeros([BLOCK, CHANNELS], tl.float32)
    for i in tl.static_range(MAPS):
        entry = tl.load(table + member * MAPS + i)
        if entry >= 0:
            position = entry // 2
            values = tl.load(maps[i] + row[:, None] * widths[i] + position * CHANNELS + channel[None, :], inside, 0.0)
            if entry % 2 == 1:
                if FORWARD:
                    # [input, output] of the result's member.
                    matrix = weights[i] + member * CHANNELS * weight_strides[i] + i * CHANNELS
                    matrix += channel[:, None] + channel[None, :] * weight_strides[i]
                else:
                    # [output, input] of the map's member.
                    matrix = weights[i] + position * CHANNELS * weight_strides[i] + first_source * CHANNELS
                    matrix += channel[:, None] * weight_strides[i] + channel[None, :]
                total += tl.dot(values, tl.load(matrix), input_precision="ieee")
            else:
                total += values.to(tl.float32)
    target = result + row[:, None] * result_width + member * CHANNELS + channel[None, :]
    tl.store(target, total.to(result.dtype.element_ty), inside)


@SIZES_VARY
def weight_gradient(
    maps, gradient, table, partial, rows, widths, gradient_width, members, sources, steps,
    MAPS: tl.constexpr, CHANNELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The gradient of a join's matrices, summed over one part of the rows.

    Parts are `(parts, members, outputs, sources, inputs)`; sources without a matrix in the table are not written.
    """
    member, part, parts = tl.program_id(0), tl.program_id(1), tl.num_programs(1)
    channel = tl.arange(0, CHANNELS)
    for i in tl.static_range(MAPS):
        entry = tl.load(table + member * MAPS + i)
        if (entry >= 0) & (entry % 2 == 1):
            position = entry // 2
            total = tl.zeros([CHANNELS, CHANNELS], tl.float32)
            for step in range(steps):
                row = ((step * parts + part) * BLOCK + tl.arange(0, BLOCK)).to(tl.int64)
                inside = row[:, None] < rows
                of_result = gradient + row[:, None] * gradient_width + member * CHANNELS + channel[None, :]
                of_map = maps[i] + row[:, None] * widths[i] + position * CHANNELS + channel[None, :]
                outputs, inputs = tl.load(of_result, inside, 0.0), tl.load(of_map, inside, 0.0)
                total += tl.dot(tl.trans(outputs), inputs, input_precision="ieee")
            target = partial + ((part * members + member) * CHANNELS + channel[:, None]) * (sources * CHANNELS)
            tl.store(target + i * CHANNELS + channel[None, :], total)


@SIZES_VARY
def moments(values, partial, rows, width, steps, BLOCK: tl.constexpr, CHANNELS: tl.constexpr):
    """Sums of values and of their squares over one part of the rows.

    The first row is subtracted from all rows before, against cancellation in the variance.
    """
    channel = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    part, parts, known = tl.program_id(1), tl.num_programs(1), channel < width
    shift = tl.load(values + channel, known, 0.0).to(tl.float32)
    total, squares = tl.zeros([CHANNELS], tl.float32), tl.zeros([CHANNELS], tl.float32)
    for step in range(steps):
        row = ((step * parts + part) * BLOCK + tl.arange(0, BLOCK)).to(tl.int64)
        inside = (row[:, None] < rows) & known[None, :]
        loaded = tl.load(values + row[:, None] * width + channel[None, :], inside, 0.0).to(tl.float32)
        moved = tl.where(inside, loaded - shift[None, :], 0.0)
        total += tl.sum(moved, 0)
        squares += tl.sum(moved * moved, 0)
    tl.store(partial + (part * 2) * width + channel, total, known)
    tl.store(partial + (part * 2 + 1) * width + channel, squares, known)


@SIZES_VARY
def finish_moments(
    values, partial, weight, bias, running_mean, running_var, kept, rows, width, parts, epsilon, momentum,
    PARTS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Mean, inverse deviation, scale and offset `(4, width)` from the sums; updates the running statistics."""
    channel = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    known = channel < width
    part = tl.arange(0, PARTS)[:, None]
    index, valid = part * 2 * width + channel[None, :], (part < parts) & known[None, :]
    total = tl.sum(tl.load(partial + index, valid, 0.0), 0)
    squares = tl.sum(tl.load(partial + index + width, valid, 0.0), 0)
    moved = total / rows
    variance = squares / rows - moved * moved
    mean = tl.load(values + channel, known, 0.0).to(tl.float32) + moved
    inverse = 1.0 / tl.sqrt(variance + epsilon)
    scale = inverse * tl.load(weight + channel, known, 0.0)
    tl.store(kept + channel, mean, known)
    tl.store(kept + width + channel, inverse, known)
    tl.store(kept + 2 * width + channel, scale, known)
    tl.store(kept + 3 * width + channel, tl.load(bias + channel, known, 0.0) - mean * scale, known)
    unbiased = variance * rows / (rows - 1)
    old_mean, old_var = tl.load(running_mean + channel, known, 0.0), tl.load(running_var + channel, known, 0.0)
    tl.store(running_mean + channel, old_mean * (1 - momentum) + mean * momentum, known)
    tl.store(running_var + channel, old_var * (1 - momentum) + unbiased * momentum, known)


@SIZES_VARY
def normalise_relu(values, kept, result, rows, width, BLOCK: tl.constexpr, CHANNELS: tl.constexpr):
    """ReLU of scale * value + offset."""
    channel = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    row = (tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)).to(tl.int64)
    known = channel < width
    inside = (row[:, None] < rows) & known[None, :]
    scale = tl.load(kept + 2 * width + channel, known, 0.0)
    offset = tl.load(kept + 3 * width + channel, known, 0.0)
    index = row[:, None] * width + channel[None, :]
    scaled = tl.load(values + index, inside, 0.0).to(tl.float32) * scale[None, :] + offset[None, :]
    # A NaN stays a NaN, as in torch.
    result_values = tl.where(scaled < 0, 0.0, scaled)
    tl.store(result + index, result_values.to(result.dtype.element_ty), inside)


@SIZES_VARY
def gradient_sums(
    gradient, values, kept, partial, rows, width, steps, BLOCK: tl.constexpr, CHANNELS: tl.constexpr
):  # fmt: skip
    """Sums of the ReLU's input gradient, and of its product with the normalised values, over one part of the rows."""
    channel = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    part, parts, known = tl.program_id(1), tl.num_programs(1), channel < width
    mean, inverse = tl.load(kept + channel, known, 0.0), tl.load(kept + width + channel, known, 0.0)
    scale = tl.load(kept + 2 * width + channel, known, 0.0)
    offset = tl.load(kept + 3 * width + channel, known, 0.0)
    total, products = tl.zeros([CHANNELS], tl.float32), tl.zeros([CHANNELS], tl.float32)
    for step in range(steps):
        row = ((step * parts + part) * BLOCK + tl.arange(0, BLOCK)).to(tl.int64)
        inside = (row[:, None] < rows) & known[None, :]
        index = row[:, None] * width + channel[None, :]
        value = tl.load(values + index, inside, 0.0).to(tl.float32)
        slope = tl.load(gradient + index, inside, 0.0).to(tl.float32)
        slope = tl.where(inside & ~(value * scale[None, :] + offset[None, :] <= 0), slope, 0.0)
        total += tl.sum(slope, 0)
        products += tl.sum(slope * (value - mean[None, :]) * inverse[None, :], 0)
    tl.store(partial + (part * 2) * width + channel, total, known)
    tl.store(partial + (part * 2 + 1) * width + channel, products, known)


@SIZES_VARY
def finish_gradient_sums(partial, sums, width, parts, PARTS: tl.constexpr, CHANNELS: tl.constexpr):
    """Gradients of bias and weight, `(2, width)`."""
    channel = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    known = channel < width
    part = tl.arange(0, PARTS)[:, None]
    index, valid = part * 2 * width + channel[None, :], (part < parts) & known[None, :]
    total = tl.sum(tl.load(partial + index, valid, 0.0), 0)
    products = tl.sum(tl.load(partial + index + width, valid, 0.0), 0)
    tl.store(sums + channel, total, known)
    tl.store(sums + width + channel, products, known)


@SIZES_VARY
def normalise_relu_gradient(
    gradient, values, kept, sums, result, rows, width, BLOCK: tl.constexpr, CHANNELS: tl.constexpr
):  # fmt: skip
    """The gradient of the values, through ReLU and batch statistics (Ioffe and Szegedy 2015, Section 3)."""
    channel = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    row = (tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)).to(tl.int64)
    known = channel < width
    inside = (row[:, None] < rows) & known[None, :]
    mean, inverse = tl.load(kept + channel, known, 0.0), tl.load(kept + width + channel, known, 0.0)
    scale = tl.load(kept + 2 * width + channel, known, 0.0)
    offset = tl.load(kept + 3 * width + channel, known, 0.0)
    total, products = tl.load(sums + channel, known, 0.0), tl.load(sums + width + channel, known, 0.0)
    index = row[:, None] * width + channel[None, :]
    value = tl.load(values + index, inside, 0.0).to(tl.float32)
    slope = tl.load(gradient + index, inside, 0.0).to(tl.float32)
    slope = tl.where(value * scale[None, :] + offset[None, :] <= 0, 0.0, slope)
    normalised = (value - mean[None, :]) * inverse[None, :]
    moved = slope - total[None, :] / rows - normalised * (products[None, :] / rows)
    tl.store(result + index, (scale[None, :] * moved).to(result.dtype.element_ty), inside)
