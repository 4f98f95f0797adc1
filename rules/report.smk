# Tables, figures and the page. These read results only, in seconds, and run where Snakemake runs.
TABLES = {
    "table_1": "I. Adversarial samples",
    "transfer": "Transfer between the targets",
    "table_2": "II. Settings of the search",
    "table_3": "III. Accuracy on the adversarial set",
    "set_accuracy": "III. Given that the clean image is right",
    "table_4": "IV. Accuracy on test images",
    "table_5": "V. Networks of equal FLOPs",
    "differences": "Differences between the searches",
    "equal_accuracy": "Differences at equal FLOPs and clean accuracy",
    "white_box": "All networks under white-box attacks",
    "retrainings": "How far retrainings differ",
    "robustness_curve": "Accuracy against radius",
    "smallest_perturbations": "Median smallest perturbations",
    "flags": "Sanity flags of the white-box attacks",
    "searches": "The searches",
    "control": "Searches against random search",
    "hypervolume_test": "Hypervolume on test data",
    "fronts": "Fronts of the searches",
    "objective": "Does the objective predict robustness?",
    "objective_spread": "How far the objective spreads",
    "topology": "What the networks look like",
    "explained": "What topology explains",
    "survivors": "Which networks survive",
}
FIGURES = {
    "figure_2": "2. Accuracy and parameters",
    "figure_3": "3. FLOPs of the lightest networks",
    "figure_4": "4. Parameters of the lightest networks",
    "figure_5": "5. PGD accuracy and FLOPs",
    "figure_6": "6. Other white-box attacks and FLOPs",
    "accuracy_radius": "Accuracy against radius",
    "hypervolume": "Hypervolume and evaluated networks",
    "populations": "Final populations",
    "examples": "Examples of the adversarial images",
    "transfer_matrix": "Transfer between the targets",
}
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
            name: report(
                f"{FOLDER}/tables/{name}.csv",
                caption=f"../report/{name}.rst",
                category="Tables",
                labels={"Table": title},
            )
            for name, title in TABLES.items()
        },
        markdown=expand(f"{FOLDER}/tables/{{table}}.md", table=TABLES),
        latex=expand(f"{FOLDER}/tables/{{table}}.tex", table=TABLES),
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
            name: report(
                f"{FOLDER}/figures/{name}.svg",
                caption=f"../report/{name}.rst",
                category="Figures",
                labels={"Figure": title},
            )
            for name, title in FIGURES.items()
        },
        png=expand(f"{FOLDER}/figures/{{figure}}.png", figure=FIGURES),
        numbers=expand(f"{FOLDER}/figures/{{figure}}.csv", figure=FIGURES),
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
            caption="../report/page.rst",
            category="Page",
            labels={"Page": "Report"},
        ),
    log:
        f"{FOLDER}/logs/report_page.log",
    localrule: True
    params:
        config=section(),
    script:
        "../workflow_scripts/page.py"
