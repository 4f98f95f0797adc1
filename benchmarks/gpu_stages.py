"""What each stage of a study takes on this machine: a slice of every kind of job, drawn out to one seed of the study.

    python benchmarks/gpu_stages.py                                          # configs/paper.yaml, at most four minutes
    python benchmarks/gpu_stages.py --configfile config.yaml --minutes 0.5   # a rehearsal, also on a CPU

It is `roco plan` without Snakemake (roco.study.slices says how slices are drawn out), as if nothing were done and every
front were as large as it may be. No data set is needed: images are random with something to learn. Carry the
repository; it needs Python 3.11 or newer, torch, torchvision, torchattacks, pydantic, PyYAML, h5py, NumPy, SciPy and
pymoo, on a GPU also Triton and a C compiler.
"""

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # The repository may not be installed there.

from roco.config import load_config
from roco.study.images import images_of
from roco.study.plan import Plan, everything_pending, kinds_to_measure, this_machine
from roco.study.progress import duration
from roco.study.slices import seconds_by_kind


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configfile", default="configs/paper.yaml")
    parser.add_argument("--minutes", type=float, default=3.5, help="that measuring may take, roughly")
    options = parser.parse_args()
    began = time.perf_counter()
    config = load_config(options.configfile)
    config = config.model_copy(update={"seeds": config.seeds[:1]})
    images = images_of(config)
    if images is None:
        sys.exit(f"gpu_stages.py: {options.configfile}: how many images there are is known once its dataset.h5 is made")
    machine, pending = this_machine(config, cores=os.cpu_count() or 1), everything_pending(config)

    def tell(what: str) -> None:
        print(f"{time.perf_counter() - began:4.0f} s: {what}", file=sys.stderr, flush=True)

    kinds = kinds_to_measure(config, pending)
    measured = seconds_by_kind(config, images, kinds=kinds, seconds=60 * options.minutes, tell=tell)
    plan = Plan(config, pending, machine, measured)
    print(f"\n{config.experiment} on {machine.name}; torch is imported in {machine.start_seconds:.1f} s of CPU time\n")
    print("| stage | jobs | networks | seconds | |\n|---|---|---|---|---|")
    for each in plan.stages:
        print(
            f"| {each.title} | {each.jobs} | {each.networks or ''} | {each.seconds:,.0f} | {duration(each.seconds)} |"
        )
    print(f"| **one seed** | | | {plan.seconds:,.0f} | **{duration(plan.seconds)}** |")
    print("\n| a job, or a network of it | seconds |\n|---|---|")
    for kind, seconds in measured.items():
        print(f"| {' '.join(kind)} | {seconds:,.2f} |")
    print(f"\n{time.perf_counter() - began:.0f} s in all")


if __name__ == "__main__":
    main()
