# Tables, figures and the page. These jobs only read results, take seconds, and run where Snakemake runs.
from roco.report.contents import figures_of, tables_of

TABLES, FIGURES = tables_of(CONFIG), figures_of(CONFIG)

STUDY = {
    "targets": LAYOUT.target_metrics(),
    "adversarial_sets": [
        LAYOUT.path(File.ADVERSARIAL_SET, split=split) for split in TARGETS
    ],
    "transfer": [LAYOUT.path(File.TRANSFER)],
    "shards": LAYOUT.all_shards(),
    "populations": LAYOUT.all_populations(),
    "fronts": [LAYOUT.front(*search) for search in LAYOUT.all_seeds()],
    "robustness": LAYOUT.all_robustness(),
    "adversarial_robustness": LAYOUT.all_robustness(ADVERSARIAL),
    "benchmarks": CONFIG.report.benchmarks,
}


rule tables:
    input:
        **STUDY,
    output:
        **{
            item.name: report(
                LAYOUT.path(File.TABLE, table=item.name, format="csv"),
                category="Tables",
                labels={"Table": item.title, "Shows": item.about},
            )
            for item in TABLES
        },
        markdown=[
            LAYOUT.path(File.TABLE, table=item.name, format="md") for item in TABLES
        ],
        latex=[
            LAYOUT.path(File.TABLE, table=item.name, format="tex") for item in TABLES
        ],
    log:
        LAYOUT.log("tables"),
    benchmark:
        LAYOUT.benchmark("tables")
    localrule: True
    params:
        config=section(),
    script:
        "../workflow_scripts/tables.py"


rule figures:
    input:
        **STUDY,
        images=[LAYOUT.path(File.DATASET)],
    output:
        **{
            item.name: report(
                LAYOUT.path(File.FIGURE, figure=item.name, format="svg"),
                category="Figures",
                labels={"Figure": item.title, "Shows": item.about},
            )
            for item in FIGURES
        },
        png=[
            LAYOUT.path(File.FIGURE, figure=item.name, format="png")
            for item in FIGURES
        ],
        numbers=[
            LAYOUT.path(File.FIGURE, figure=item.name, format="csv")
            for item in FIGURES
        ],
    log:
        LAYOUT.log("figures"),
    benchmark:
        LAYOUT.benchmark("figures")
    localrule: True
    params:
        config=section(),
    script:
        "../workflow_scripts/figures.py"


rule report_page:
    input:
        **STUDY,
        trainings=LAYOUT.all_of_retrainings(File.RETRAINING),
        adversarial_trainings=LAYOUT.all_of_retrainings(File.RETRAINING, ADVERSARIAL),
        dataset=LAYOUT.path(File.DATASET),
        tables=rules.tables.output,
        figures=rules.figures.output,
    output:
        page=report(
            LAYOUT.path(File.PAGE),
            category="Page",
            labels={"Page": "The whole report as a single page"},
        ),
    log:
        LAYOUT.log("report_page"),
    benchmark:
        LAYOUT.benchmark("report_page")
    localrule: True
    params:
        config=section(),
    script:
        "../workflow_scripts/page.py"
