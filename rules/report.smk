# Tables, figures and the page. These read results only, in seconds, and run where Snakemake runs.
from roco.report.contents import FIGURES, TABLES

STUDY = {
    "targets": LAYOUT.target_metrics(),
    "adversarial_sets": expand(
        f"{FOLDER}/adversarial/{{split}}.h5", split=["validation", "test"]
    ),
    "transfer": [f"{FOLDER}/adversarial/transfer.json"],
    "shards": LAYOUT.all_shards(),
    "populations": LAYOUT.all_populations(),
    "fronts": [LAYOUT.front(*place) for place in LAYOUT.all_seeds()],
    "robustness": LAYOUT.all_robustness(),
}


rule tables:
    input:
        **STUDY,
    output:
        **{
            item.name: report(
                f"{FOLDER}/tables/{item.name}.csv",
                category="Tables",
                labels={"Table": item.title, "Shows": item.about},
            )
            for item in TABLES
        },
        markdown=[f"{FOLDER}/tables/{item.name}.md" for item in TABLES],
        latex=[f"{FOLDER}/tables/{item.name}.tex" for item in TABLES],
    log:
        f"{FOLDER}/logs/tables.log",
    localrule: True
    params:
        config=section(),
    script:
        "../workflow_scripts/tables.py"


rule figures:
    input:
        **STUDY,
        images=[rules.dataset.output.dataset],
    output:
        **{
            item.name: report(
                f"{FOLDER}/figures/{item.name}.svg",
                category="Figures",
                labels={"Figure": item.title, "Shows": item.about},
            )
            for item in FIGURES
        },
        png=[f"{FOLDER}/figures/{item.name}.png" for item in FIGURES],
        numbers=[f"{FOLDER}/figures/{item.name}.csv" for item in FIGURES],
    log:
        f"{FOLDER}/logs/figures.log",
    localrule: True
    params:
        config=section(),
    script:
        "../workflow_scripts/figures.py"


rule report_page:
    input:
        **STUDY,
        trainings=[
            path.replace("robustness.json", "training.json")
            for path in STUDY["robustness"]
        ],
        dataset=rules.dataset.output.dataset,
        tables=rules.tables.output,
        figures=rules.figures.output,
    output:
        page=report(
            f"{FOLDER}/report.html",
            category="Page",
            labels={"Page": "The whole report as one page that stands alone"},
        ),
    log:
        f"{FOLDER}/logs/report_page.log",
    localrule: True
    params:
        config=section(),
    script:
        "../workflow_scripts/page.py"
