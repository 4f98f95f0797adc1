# The checked configuration, and what the rules derive from it: paths, counts, resources. There is no rule here.
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

# Snakemake writes this path into the shell commands of jobs as it stands, and no job would start from a clone in a folder
# with a space, a parenthesis, a quote or an ampersand in its name. Nothing else reads it in Snakemake's own processes.
if Path(sys.executable).exists():
    sys.executable = shlex.quote(sys.executable)

try:
    # Read once more: Snakemake takes the last of two equal keys.
    for path in workflow.configfiles:
        read_yaml(path)
    CONFIG = check_config(
        config, source=", ".join(map(str, workflow.configfiles)) or "configuration"
    )
except ConfigError as error:
    sys.exit(f"roco: {error}")

# Paths, logs, benchmarks and counts; `roco status` and `roco plan` use the same.
LAYOUT = Layout(CONFIG)
FOLDER = LAYOUT.folder
STORE = CONFIG.store
DEVICE = resolve_device(CONFIG.device)
# How many GPUs a job asks for that trains or attacks.
GPU = 1 if DEVICE == "cuda" else 0


def threads_of(rule, processes):
    """The cores of a job that trains: one beside a GPU, else one for each process.

    A profile says whether there is a GPU where the job runs; this machine may only submit it.
    """
    # As part of another workflow the rule may have another name there.
    name = workflow.modifier.modify_rulename(rule)
    asked = workflow.resource_settings.overwrite_resources.get(name, {})
    # As the profile has it: it may be an expression that only a job can evaluate.
    asked = {name: str(getattr(value, "raw", value)) for name, value in asked.items()}
    gpu, gres = asked.get("gpu", str(GPU)), asked.get("gres", "")
    return 1 if gpu != "0" or "gpu" in gres else processes


# Jobs that the search waits for start before others that are ready.
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
    """Keeps other runs out of the results folder while this process lives, and settles what an earlier run left on SLURM."""
    try:
        lock_results(FOLDER)
        settle_earlier_run(FOLDER)
        # The name of this run's jobs in SLURM's queue. Snakemake tells it to nobody, so it is taken from the executor, which
        # has one with the SLURM plugin only.
        run = getattr(getattr(workflow.scheduler, "_executor", None), "run_uuid", None)
        if run:
            note_run(FOLDER, run)
    except RocoError as error:
        sys.exit(f"roco: {error}")


def changed_images(wildcards):
    """Adds no input, but has the data set made anew when its images have changed, and with it all that depends on it.

    Input or params would not do: there are too many images for input, and older ones that replace newer ones would not be
    noticed; Snakemake's notes on params may be gone, and what is downloaded is not known before.
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
    # These are the files that `snakemake --forcerun` names; a workflow has no other way to say that one is to be made anew.
    if change and dataset not in workflow.dag.forcefiles:
        logger.warning(f"roco: {change}")
        workflow.dag.forcefiles.add(dataset)
    return []


# Once, as rules ask for their parts many times.
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
    """The split whose adversarial images the networks of a folder are for."""
    return "test" if targets == "test_targets" else "validation"


def retraining_settings(wildcards):
    """What decides a retrained network but its genome and seed."""
    fields = ("channels", "training", "validation_images_too")
    settings = {name: section("retraining", name) for name in fields}
    if wildcards.retrained == ADVERSARIAL:
        recipe = CONFIG.retraining.adversarial_recipe
        settings["training"] = recipe.model_dump(mode="json")
    return settings | {
        "stem_padding": section("space", "stem_padding"),
        "node": CONFIG.node_of("retraining"),
    }
