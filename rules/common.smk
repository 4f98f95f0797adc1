# The checked configuration, and what the rules derive from it: paths, counts, resources. There is no rule here.
import sys

try:
    from roco.config import check_config, read_yaml
    from roco.errors import ConfigError, RocoError
    from roco.runtime import guard_run, resolve_device
    from roco.slurm import note_run, settle_earlier_run
except ModuleNotFoundError as error:
    sys.exit(
        f"roco: {error.name} is not installed here; run `make` once, then use .venv/bin/snakemake"
    )

try:
    # Read once more: Snakemake takes the last of two equal keys.
    for path in workflow.configfiles:
        read_yaml(path)
    CONFIG = check_config(
        config, source=", ".join(map(str, workflow.configfiles)) or "configuration"
    )
except ConfigError as error:
    sys.exit(f"roco: {error}")

FOLDER = CONFIG.folder
STORE = f"{CONFIG.results}/store"
DEVICE = resolve_device(CONFIG.device)
# How many GPUs a job asks for that trains or attacks.
GPU = 1 if DEVICE == "cuda" else 0
SEARCHES = list(CONFIG.search.searches)
TARGETS = list(CONFIG.targets.architectures())
THRESHOLDS = CONFIG.adversarial.thresholds
# Published networks are retrained once, under the first seed.
REFERENCES = "references"


wildcard_constraints:
    search="|".join([*SEARCHES, "initial", REFERENCES]),
    seed="|".join(map(str, CONFIG.seeds)),
    generation=r"\d{3}",
    shard=r"\d{3}",
    slot=r"\d{3}",
    split="validation|test",
    target="|".join(TARGETS),
    norm="l0|linf",


def take_place():
    """Keeps a second run out of the results folder for as long as this process lives, and the jobs of a killed one."""
    try:
        workflow.roco_place = guard_run(FOLDER)
        settle_earlier_run(FOLDER)
        # The name of this run's jobs, which only the SLURM plugin has.
        run = getattr(getattr(workflow.scheduler, "_executor", None), "run_uuid", None)
        if run:
            note_run(FOLDER, run)
    except RocoError as error:
        sys.exit(f"roco: {error}")


def section(*keys):
    """A part of the configuration as plain data, for a rule's params."""
    part = CONFIG.model_dump(mode="json")
    for key in keys:
        part = part[key]
    return part


def memory(megabytes):
    """Memory that grows with each attempt."""
    return lambda wildcards, attempt: megabytes * attempt


def minutes(count):
    """Time that grows with each attempt."""
    return lambda wildcards, attempt: count * attempt


def search_folder(search, seed):
    return f"{FOLDER}/search/{search}/seed_{seed}"


def generation_folder(search, seed, generation):
    return f"{search_folder(search, seed)}/generation_{int(generation):03d}"


def shards_of(search, seed, generation):
    """The evaluation files of a generation; the first one's are shared by all searches of a seed."""
    first = int(generation) == 0
    genomes = CONFIG.search.population if first else CONFIG.search.offspring
    folder = generation_folder("initial" if first else search, seed, generation)
    count = -(-genomes // CONFIG.evaluation.genomes_per_job)
    return [f"{folder}/evaluations/shard_{shard:03d}.json" for shard in range(count)]


def population_of(search, seed, generation):
    return f"{generation_folder(search, seed, generation)}/population.json"


def genomes_of(wildcards):
    """The genomes of a generation; the first one's are shared by all searches of a seed."""
    search = wildcards.search if int(wildcards.generation) else "initial"
    return f"{generation_folder(search, wildcards.seed, wildcards.generation)}/genomes.json"


def parents_of(wildcards):
    """The population before, or nothing for the first generation."""
    generation = int(wildcards.generation)
    return (
        [population_of(wildcards.search, wildcards.seed, generation - 1)]
        if generation
        else []
    )


def all_seeds():
    """Each search with each of its seeds."""
    return [(search, seed) for search in SEARCHES for seed in CONFIG.seeds]


def all_shard_files():
    first = [path for seed in CONFIG.seeds for path in shards_of("initial", seed, 0)]
    later = [
        path
        for search, seed in all_seeds()
        for generation in range(1, CONFIG.search.generations + 1)
        for path in shards_of(search, seed, generation)
    ]
    return first + later


def all_population_files():
    return [
        population_of(search, seed, generation)
        for search, seed in all_seeds()
        for generation in range(CONFIG.search.generations + 1)
    ]


def all_front_files():
    return [f"{search_folder(search, seed)}/front.json" for search, seed in all_seeds()]


def all_target_metrics():
    return [f"{FOLDER}/targets/{target}/metrics.json" for target in TARGETS]


def all_robustness_files():
    """One for each slot: the networks of each front, and the published ones."""
    slots = [
        (search, seed, slot)
        for search, seed in all_seeds()
        for slot in range(CONFIG.slots)
    ]
    slots += [
        (REFERENCES, CONFIG.seeds[0], slot)
        for slot in range(len(CONFIG.retraining.references))
    ]
    return [
        f"{FOLDER}/retrained/{search}/seed_{seed}/slot_{slot:03d}/robustness.json"
        for search, seed, slot in slots
    ]
