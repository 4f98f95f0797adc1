# The checked configuration, and the paths, counts and resources that rules derive from it. There is no rule here.
import shlex
import sys

try:
    from roco.config import check_config, read_yaml
    from roco.errors import ConfigError, RocoError
    from roco.runtime import resolve_device
    from roco.study.files import ADVERSARIAL, INITIAL, REFERENCES, File
    from roco.study.layout import Layout
    from roco.study.lock import lock_results
    from roco.study.slurm import note_run, settle_earlier_run
except ModuleNotFoundError as error:
    sys.exit(
        f"roco: {error.name} is not installed here; run `make` once, then use .venv/bin/snakemake"
    )

# Snakemake writes this path into the shell commands of jobs without quotes, so that no job would start from a clone in a
# folder with a space, a parenthesis, a quote or an ampersand in its name. Nothing else in its processes reads it.
if Path(sys.executable).exists():
    sys.executable = shlex.quote(sys.executable)

try:
    # Read again, because Snakemake silently takes the last of two equal keys.
    for path in workflow.configfiles:
        read_yaml(path)
    CONFIG = check_config(
        config, source=", ".join(map(str, workflow.configfiles)) or "configuration"
    )
except ConfigError as error:
    sys.exit(f"roco: {error}")

# Paths, logs, benchmarks and counts; `roco status` and `roco plan` use them too.
LAYOUT = Layout(CONFIG)
FOLDER = LAYOUT.folder
STORE = CONFIG.store
DEVICE = resolve_device(CONFIG.device)
# How many GPUs a job that trains or attacks asks for.
GPU = 1 if DEVICE == "cuda" else 0


def threads_of(rule, processes):
    """The cores of a job that trains: one beside a GPU, else one for each process.

    A profile says whether the job's machine has a GPU; this machine may only submit the job.
    """
    # In another workflow the rule may have another name.
    name = workflow.modifier.modify_rulename(rule)
    asked = workflow.resource_settings.overwrite_resources.get(name, {})
    # The text of the profile, which may be an expression that only a job can evaluate.
    asked = {name: str(getattr(value, "raw", value)) for name, value in asked.items()}
    gpu, gres = asked.get("gpu", str(GPU)), asked.get("gres", "")
    return 1 if gpu != "0" or "gpu" in gres else processes


# Jobs that the search waits for start before other jobs.
SEARCH_PRIORITY = 5
SEARCHES = list(CONFIG.search.searches)
TARGETS = {
    split: list(CONFIG.targets.architectures(split)) for split in ("validation", "test")
}


wildcard_constraints:
    retrained="|".join(LAYOUT.ways),
    search="|".join([*SEARCHES, INITIAL, REFERENCES]),
    seed="|".join(map(str, CONFIG.seeds)),
    generation=r"\d{3}",
    shard=r"\d{3}",
    slot=r"\d{3}",
    training_seed="|".join(map(str, CONFIG.retraining.seeds)),
    split="validation|test",
    targets="targets|test_targets",
    target="|".join({*TARGETS["validation"], *TARGETS["test"]}),
    norm="l0|linf",


def begin_run():
    """Locks the results folder while this process lives, and ends the jobs that an earlier run left on SLURM."""
    try:
        lock_results(FOLDER)
        settle_earlier_run(FOLDER)
        # The name of this run's jobs in SLURM's queue, from the executor of the SLURM plugin: there is no public call.
        run = getattr(getattr(workflow.scheduler, "_executor", None), "run_uuid", None)
        if run:
            note_run(FOLDER, run)
    except RocoError as error:
        sys.exit(f"roco: {error}")


def changed_images(wildcards):
    """Adds no input, but makes the data set anew, and all that depends on it, when its images have changed.

    Neither input nor params can do that: there are too many images for input, and older images that replace newer ones
    would not be noticed; Snakemake may have lost its record of params, and downloads are not known before.
    """
    # The process of a job never makes another job.
    if not workflow.is_main_process:
        return []
    from roco.data.origin import change_since

    dataset = LAYOUT.path(File.DATASET)
    try:
        change = change_since(CONFIG.dataset, dataset)
    except RocoError as error:
        sys.exit(f"roco: {error}")
    # The files of `snakemake --forcerun`; a workflow has no other way to make a file anew.
    if change and dataset not in workflow.dag.forcefiles:
        logger.warning(f"roco: {change}")
        workflow.dag.forcefiles.add(dataset)
    return []


# Made once, because rules ask for its parts many times.
PLAIN_CONFIG = CONFIG.model_dump(mode="json")


def section(*keys):
    """A part of the configuration as plain data, for a rule's params."""
    part = PLAIN_CONFIG
    for key in keys:
        part = part[key]
    return part


def memory(megabytes):
    """Memory that grows with each attempt."""
    return lambda wildcards, attempt: megabytes * attempt


def minutes(count):
    """Time that grows with each attempt."""
    return lambda wildcards, attempt: count * attempt


def split_of(targets):
    """The split whose adversarial images are made from the networks of a folder."""
    return "test" if targets == "test_targets" else "validation"


def retraining_settings(wildcards):
    """Everything except genome and seed that decides a retrained network."""
    fields = ("channels", "training", "validation_images_too")
    settings = {name: section("retraining", name) for name in fields}
    if wildcards.retrained == ADVERSARIAL:
        recipe = CONFIG.retraining.adversarial_recipe
        settings["training"] = recipe.model_dump(mode="json")
    return settings | {
        "stem_padding": section("space", "stem_padding"),
        "node": CONFIG.node_of("retraining"),
    }
