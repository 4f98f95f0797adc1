# NSGA-II, generation by generation: genomes, their evaluations in shards, the survivors; at the end the front. Each step
# waits for the step before, so these jobs start before jobs that only the report waits for.
rule initial_genomes:
    output:
        genomes=LAYOUT.path(File.GENOMES, search=INITIAL, generation=0),
    log:
        LAYOUT.log("initial_genomes", search=INITIAL),
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
        parents=lambda wildcards: LAYOUT.parents(**wildcards),
    output:
        genomes=LAYOUT.path(File.GENOMES),
    log:
        LAYOUT.log("offspring_genomes"),
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
        genomes=LAYOUT.path(File.GENOMES),
        dataset=LAYOUT.path(File.DATASET),
        adversarial=LAYOUT.path(File.ADVERSARIAL_SET, split="validation"),
    output:
        records=LAYOUT.path(File.EVALUATIONS),
    log:
        LAYOUT.log("evaluate"),
    benchmark:
        LAYOUT.benchmark("evaluate")
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
        parents=lambda wildcards: LAYOUT.parents(**wildcards),
        genomes=lambda wildcards: LAYOUT.genomes(**wildcards),
        records=lambda wildcards: LAYOUT.shards(**wildcards),
    output:
        population=LAYOUT.path(File.POPULATION),
    log:
        LAYOUT.log("survivors"),
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
        population=LAYOUT.path(File.POPULATION, generation=CONFIG.search.generations),
    output:
        front=LAYOUT.path(File.FRONT),
    log:
        LAYOUT.log("front"),
    wildcard_constraints:
        search="|".join(SEARCHES),
    priority: SEARCH_PRIORITY
    localrule: True
    script:
        "../workflow_scripts/front.py"


rule references:
    input:
        dataset=LAYOUT.path(File.DATASET),
    output:
        front=LAYOUT.path(File.FRONT, search=REFERENCES),
    log:
        LAYOUT.log("references", search=REFERENCES),
    localrule: True
    params:
        references=section("retraining", "references"),
        space=section("space"),
        channels=section("evaluation", "channels"),
    script:
        "../workflow_scripts/references.py"
