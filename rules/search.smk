# NSGA-II, a generation at a time: genomes, their evaluations in shards, the survivors; at the end the front. Each waits for
# the one before, so they go before what only the report waits for.
rule initial_genomes:
    output:
        genomes=f"{FOLDER}/search/initial/seed_{{seed}}/generation_000/genomes.json",
    log:
        f"{FOLDER}/logs/search/initial/seed_{{seed}}/genomes.log",
    priority: SEARCH_PRIORITY
    localrule: True
    params:
        space=section("space"),
        population=section("search", "population"),
        named=section("search", "population_0"),
        density=section("search", "population_0_density"),
    script:
        "../workflow_scripts/initial_genomes.py"


rule offspring_genomes:
    input:
        parents=parents_of,
    output:
        genomes=f"{FOLDER}/search/{{search}}/seed_{{seed}}/generation_{{generation}}/genomes.json",
    log:
        f"{FOLDER}/logs/search/{{search}}/seed_{{seed}}/generation_{{generation}}/genomes.log",
    wildcard_constraints:
        search="|".join(SEARCHES),
    priority: SEARCH_PRIORITY
    localrule: True
    params:
        space=section("space"),
        offspring=section("search", "offspring"),
        variation=section("search", "variation"),
        crossover_probability=section("search", "crossover_probability"),
        method=lambda wildcards: CONFIG.search.searches[wildcards.search].method,
    script:
        "../workflow_scripts/offspring_genomes.py"


rule evaluate:
    input:
        genomes=f"{FOLDER}/search/{{search}}/seed_{{seed}}/generation_{{generation}}/genomes.json",
        dataset=rules.dataset.output.dataset,
        adversarial=f"{FOLDER}/adversarial/validation.h5",
    output:
        records=f"{FOLDER}/search/{{search}}/seed_{{seed}}/generation_{{generation}}/evaluations/shard_{{shard}}.json",
    log:
        f"{FOLDER}/logs/search/{{search}}/seed_{{seed}}/generation_{{generation}}/shard_{{shard}}.log",
    priority: SEARCH_PRIORITY
    # On a GPU one process trains stacks of genomes.
    threads:
        threads_of(
            "evaluate",
            min(CONFIG.evaluation.processes, CONFIG.evaluation.genomes_per_job),
        )
    resources:
        gpu=GPU,
        mem_mb=memory(8000),
        runtime=minutes(720),
    params:
        channels=section("evaluation", "channels"),
        training=section("evaluation", "training"),
        stem_padding=section("space", "stem_padding"),
        node=section("space", "node"),
        genomes_per_job=section("evaluation", "genomes_per_job"),
        measurements=CONFIG.search.measurements,
        store=STORE,
    script:
        "../workflow_scripts/evaluate.py"


rule survivors:
    input:
        parents=parents_of,
        genomes=genomes_of,
        records=lambda wildcards: LAYOUT.shards(
            wildcards.search, wildcards.seed, wildcards.generation
        ),
    output:
        population=f"{FOLDER}/search/{{search}}/seed_{{seed}}/generation_{{generation}}/population.json",
    log:
        f"{FOLDER}/logs/search/{{search}}/seed_{{seed}}/generation_{{generation}}/survivors.log",
    wildcard_constraints:
        search="|".join(SEARCHES),
    priority: SEARCH_PRIORITY
    localrule: True
    params:
        objectives=lambda wildcards: CONFIG.search.searches[wildcards.search].objectives,
        method=lambda wildcards: CONFIG.search.searches[wildcards.search].method,
        population=section("search", "population"),
    script:
        "../workflow_scripts/survivors.py"


rule front:
    input:
        population=lambda wildcards: LAYOUT.population(
            wildcards.search, wildcards.seed, CONFIG.search.generations
        ),
    output:
        front=f"{FOLDER}/search/{{search}}/seed_{{seed}}/front.json",
    log:
        f"{FOLDER}/logs/search/{{search}}/seed_{{seed}}/front.log",
    wildcard_constraints:
        search="|".join(SEARCHES),
    priority: SEARCH_PRIORITY
    localrule: True
    script:
        "../workflow_scripts/front.py"


rule references:
    input:
        dataset=rules.dataset.output.dataset,
    output:
        front=f"{FOLDER}/search/{REFERENCES}/seed_{{seed}}/front.json",
    log:
        f"{FOLDER}/logs/search/{REFERENCES}/seed_{{seed}}/front.log",
    localrule: True
    params:
        references=section("retraining", "references"),
        space=section("space"),
        channels=section("evaluation", "channels"),
    script:
        "../workflow_scripts/references.py"
