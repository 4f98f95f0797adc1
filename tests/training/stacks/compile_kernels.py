"""Compiles the kernels for an H100, which need not be there; prints name, sizes and bytes on the stack of each."""

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from roco.training.stacks import kernels
from roco.training.stacks.fused import NORM_BLOCK, NORM_CHANNELS, NORM_PARTS, TILES
from roco.training.stacks.phases import TABLE_COLUMNS

MAP, FLOAT, INT = "*bf16", "*fp32", "i32"
CAPABILITY = 90
DUMP = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"


def compile_one(kernel: Any, kinds: dict[str, Any], sizes: dict[str, Any], *, warps: int = 4) -> None:
    every = kinds | dict.fromkeys(sizes, "constexpr")
    source = ASTSource(fn=kernel, signature={name: every[name] for name in kernel.arg_names}, constexprs=sizes)
    compiled = triton.compile(source, target=GPUTarget("cuda", CAPABILITY, 32), options={"num_warps": warps})
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        usage = subprocess.run([DUMP, "-res-usage", file.name], capture_output=True, text=True, check=True).stdout
    stack = max(int(size) for size in re.findall(r"STACK:(\d+)", usage))
    print(kernel.__name__, sizes, f"stack {stack}", flush=True)


def main() -> None:
    maps = TABLE_COLUMNS[1]
    many = (INT,) * maps
    for width, (block, warps) in TILES.items():
        sizes = {"MAPS": maps, "CHANNELS": width, "BLOCK": block}
        kinds = {"maps": (MAP,) * maps, "weights": (MAP,) * maps, "table": "*i32", "result": MAP, "rows": INT}
        kinds |= {"widths": many, "weight_strides": many, "result_width": INT, "first_source": INT}
        for forward in (True, False):
            compile_one(kernels.combine, kinds, {**sizes, "FORWARD": forward}, warps=warps)
        kinds = {"maps": (MAP,) * maps, "gradient": MAP, "table": "*i32", "partial": FLOAT, "rows": INT}
        kinds |= {"widths": many, "gradient_width": INT, "members": INT, "sources": INT, "steps": INT}
        compile_one(kernels.weight_gradient, kinds, sizes, warps=warps)
    common = {"values": MAP, "partial": FLOAT, "kept": FLOAT, "rows": INT, "width": INT, "gradient": MAP, "result": MAP}
    common |= dict.fromkeys(("weight", "bias", "running_mean", "running_var", "sums"), FLOAT)
    common |= {"parts": INT, "steps": INT, "epsilon": "fp32", "momentum": "fp32"}
    tile = {"BLOCK": NORM_BLOCK, "CHANNELS": NORM_CHANNELS}
    compile_one(kernels.moments, common, tile)
    compile_one(kernels.finish_moments, common, {"PARTS": NORM_PARTS, "CHANNELS": NORM_CHANNELS})
    compile_one(kernels.normalise_relu, common, tile)
    compile_one(kernels.gradient_sums, common, tile)
    compile_one(kernels.normalise_relu_gradient, common, tile)


if __name__ == "__main__":
    main()
