"""Triton kernels of a phase of stacked networks. They move each map as few times as they can; sums are float32.

MAPS is larger than the number of maps, so that a few variants, compiled once, do for all joins; the table then says
that the last ones are not there.

A map lies in memory as rows of pixels, `(n * h * w, members * channels)`. `combine` adds up maps, each as it is or
through a member's own matrix, so it is a join and, with the matrices transposed, the gradient of a map that several
joins have read. Results are the same bits each time: nothing is added atomically.
"""

import os

import triton
import triton.language as tl

# mypy: ignore-errors

# a * b + c is rounded once, as in all versions so far: later ones would give other bits, and 3.9 warns of that.
os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")

# Compiled once for all of these numbers; Triton would compile anew for 1 and for multiples of 16.
SIZES_VARY = triton.jit(
    do_not_specialize=["rows", "steps", "parts", "members", "sources", "first_source", "epsilon", "momentum"]
)


@SIZES_VARY
def combine(
    maps, weights, table, result, rows, widths, weight_strides, result_width, first_source,
    MAPS: tl.constexpr, CHANNELS: tl.constexpr, BLOCK: tl.constexpr, FORWARD: tl.constexpr,
):  # fmt: skip
    """Result row block of one member: the sum of what the table says of maps 0 .. MAPS - 1.

    An entry of the table is negative for nothing, else twice the place of the member in the map, plus 1 where its
    matrix is to be applied. Matrices are `(places, outputs, sources, inputs)`. Forward, all maps share one of them and
    map i is its source i; backward, map i is the gradient of a join with weights of its own, whose source is
    `first_source`.
    """
    member = tl.program_id(0)
    row = (tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)).to(tl.int64)
    channel = tl.arange(0, CHANNELS)
    inside = row[:, None] < rows
    total = tl.zeros([BLOCK, CHANNELS], tl.float32)
    for i in tl.static_range(MAPS):
        entry = tl.load(table + member * MAPS + i)
        if entry >= 0:
            place = entry // 2
            values = tl.load(maps[i] + row[:, None] * widths[i] + place * CHANNELS + channel[None, :], inside, 0.0)
            if entry % 2 == 1:
                if FORWARD:
                    # [input, output] of the result's member.
                    matrix = weights[i] + member * CHANNELS * weight_strides[i] + i * CHANNELS
                    matrix += channel[:, None] + channel[None, :] * weight_strides[i]
                else:
                    # [output, input] of the map's member.
                    matrix = weights[i] + place * CHANNELS * weight_strides[i] + first_source * CHANNELS
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
    """The gradient of a join's matrices over one part of the rows.

    Parts are `(parts, members, outputs, sources, inputs)`; what the table does not weigh is left as it is.
    """
    member, part, parts = tl.program_id(0), tl.program_id(1), tl.num_programs(1)
    channel = tl.arange(0, CHANNELS)
    for i in tl.static_range(MAPS):
        entry = tl.load(table + member * MAPS + i)
        if (entry >= 0) & (entry % 2 == 1):
            place = entry // 2
            total = tl.zeros([CHANNELS, CHANNELS], tl.float32)
            for step in range(steps):
                row = ((step * parts + part) * BLOCK + tl.arange(0, BLOCK)).to(tl.int64)
                inside = row[:, None] < rows
                of_result = gradient + row[:, None] * gradient_width + member * CHANNELS + channel[None, :]
                of_map = maps[i] + row[:, None] * widths[i] + place * CHANNELS + channel[None, :]
                outputs, inputs = tl.load(of_result, inside, 0.0), tl.load(of_map, inside, 0.0)
                total += tl.dot(tl.trans(outputs), inputs, input_precision="ieee")
            target = partial + ((part * members + member) * CHANNELS + channel[:, None]) * (sources * CHANNELS)
            tl.store(target + i * CHANNELS + channel[None, :], total)


@SIZES_VARY
def moments(values, partial, rows, width, steps, BLOCK: tl.constexpr, CHANNELS: tl.constexpr):
    """Sums of values and of their squares over one part of the rows, less the first row, so that nothing cancels."""
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
    """From sums to mean, inverse deviation, scale and offset `(4, width)`; running statistics are moved on."""
    channel = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    known = channel < width
    part = tl.arange(0, PARTS)[:, None]
    place, there = part * 2 * width + channel[None, :], (part < parts) & known[None, :]
    total = tl.sum(tl.load(partial + place, there, 0.0), 0)
    squares = tl.sum(tl.load(partial + place + width, there, 0.0), 0)
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
    place = row[:, None] * width + channel[None, :]
    scaled = tl.load(values + place, inside, 0.0).to(tl.float32) * scale[None, :] + offset[None, :]
    # Not a number stays one, as in torch.
    result_values = tl.where(scaled < 0, 0.0, scaled)
    tl.store(result + place, result_values.to(result.dtype.element_ty), inside)


@SIZES_VARY
def gradient_sums(
    gradient, values, kept, partial, rows, width, steps, BLOCK: tl.constexpr, CHANNELS: tl.constexpr
):  # fmt: skip
    """Sums of the gradient behind the ReLU, and of it times the normalised values, over one part of the rows."""
    channel = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    part, parts, known = tl.program_id(1), tl.num_programs(1), channel < width
    mean, inverse = tl.load(kept + channel, known, 0.0), tl.load(kept + width + channel, known, 0.0)
    scale = tl.load(kept + 2 * width + channel, known, 0.0)
    offset = tl.load(kept + 3 * width + channel, known, 0.0)
    total, products = tl.zeros([CHANNELS], tl.float32), tl.zeros([CHANNELS], tl.float32)
    for step in range(steps):
        row = ((step * parts + part) * BLOCK + tl.arange(0, BLOCK)).to(tl.int64)
        inside = (row[:, None] < rows) & known[None, :]
        place = row[:, None] * width + channel[None, :]
        value = tl.load(values + place, inside, 0.0).to(tl.float32)
        slope = tl.load(gradient + place, inside, 0.0).to(tl.float32)
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
    place, there = part * 2 * width + channel[None, :], (part < parts) & known[None, :]
    total = tl.sum(tl.load(partial + place, there, 0.0), 0)
    products = tl.sum(tl.load(partial + place + width, there, 0.0), 0)
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
    place = row[:, None] * width + channel[None, :]
    value = tl.load(values + place, inside, 0.0).to(tl.float32)
    slope = tl.load(gradient + place, inside, 0.0).to(tl.float32)
    slope = tl.where(value * scale[None, :] + offset[None, :] <= 0, 0.0, slope)
    normalised = (value - mean[None, :]) * inverse[None, :]
    moved = slope - total[None, :] / rows - normalised * (products[None, :] / rows)
    tl.store(result + place, (scale[None, :] * moved).to(result.dtype.element_ty), inside)
