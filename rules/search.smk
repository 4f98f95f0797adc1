# NSGA-II, a generation at a time: genomes, their evaluations in shards, the survivors; at the end the front.
rule initial_genomes:
    output:
        genomes=f"{FOLDER}/search/initial/seed_{{seed}}/generation_000/genomes.json",
    params:
        space=section("space"),
        population=section("search", "population"),
        named=section("search", "population_0"),
    log:
        f"{FOLDER}/logs/search/initial/seed_{{seed}}/genomes.log",
    localrule: True
    script:
        "../workflow_scripts/initial_genomes.py"


rule offspring_genomes:
    input:
        parents=parents_of,
    output:
        genomes=f"{FOLDER}/search/{{search}}/seed_{{seed}}/generation_{{generation}}/genomes.json",
    wildcard_constraints:
        search="|".join(SEARCHES),
    params:
        space=section("space"),
        offspring=section("search", "offspring"),
        variation=section("search", "variation"),
        crossover_probability=section("search", "crossover_probability"),
    log:
        f"{FOLDER}/logs/search/{{search}}/seed_{{seed}}/generation_{{generation}}/genomes.log",
    localrule: True
    script:
        "../workflow_scripts/offspring_genomes.py"


rule evaluate:
    input:
        genomes=f"{FOLDER}/search/{{search}}/seed_{{seed}}/generation_{{generation}}/genomes.json",
        dataset=rules.dataset.output.dataset,
        adversarial=f"{FOLDER}/adversarial/validation.h5",
    output:
        records=f"{FOLDER}/search/{{search}}/seed_{{seed}}/generation_{{generation}}/evaluations/shard_{{shard}}.json",
    params:
        channels=section("evaluation", "channels"),
        training=section("evaluation", "training"),
        stem_padding=section("space", "stem_padding"),
        genomes_per_job=section("evaluation", "genomes_per_job"),
        store=STORE,
    log:
        f"{FOLDER}/logs/search/{{search}}/seed_{{seed}}/generation_{{generation}}/shard_{{shard}}.log",
    threads: min(CONFIG.evaluation.workers, CONFIG.evaluation.genomes_per_job)
    resources:
        gpu=GPU,
        mem_mb=memory(8000),
        runtime=minutes(720),
    script:
        "../workflow_scripts/evaluate.py"


rule survivors:
    input:
        parents=parents_of,
        records=lambda wildcards: shards_of(wildcards.search, wildcards.seed, wildcards.generation),
    output:
        population=f"{FOLDER}/search/{{search}}/seed_{{seed}}/generation_{{generation}}/population.json",
    wildcard_constraints:
        search="|".join(SEARCHES),
    params:
        objectives=lambda wildcards: section("search", "searches", wildcards.search),
        population=section("search", "population"),
    log:
        f"{FOLDER}/logs/search/{{search}}/seed_{{seed}}/generation_{{generation}}/survivors.log",
    localrule: True
    script:
        "../workflow_scripts/survivors.py"


rule front:
    input:
        population=lambda wildcards: population_of(wildcards.search, wildcards.seed, CONFIG.search.generations),
    output:
        front=f"{FOLDER}/search/{{search}}/seed_{{seed}}/front.json",
    wildcard_constraints:
        search="|".join(SEARCHES),
    log:
        f"{FOLDER}/logs/search/{{search}}/seed_{{seed}}/front.log",
    localrule: True
    script:
        "../workflow_scripts/front.py"


rule references:
    input:
        dataset=rules.dataset.output.dataset,
    output:
        front=f"{FOLDER}/search/{REFERENCES}/seed_{{seed}}/front.json",
    params:
        references=section("retraining", "references"),
        space=section("space"),
        channels=section("evaluation", "channels"),
    log:
        f"{FOLDER}/logs/search/{REFERENCES}/seed_{{seed}}/front.log",
    localrule: True
    script:
        "../workflow_scripts/references.py"
