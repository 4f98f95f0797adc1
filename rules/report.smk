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
    "adversarial_sets": [
        LAYOUT.path(File.ADVERSARIAL_SET, split=split) for split in TARGETS
    ],
    "transfer": [LAYOUT.path(File.TRANSFER)],
    "shards": LAYOUT.all_shards(),
    "populations": LAYOUT.all_populations(),
    "fronts": [LAYOUT.front(*search) for search in LAYOUT.all_seeds()],
    "robustness": LAYOUT.all_robustness(),
}


rule tables:
    input:
        **STUDY,
    output:
        **{
            name: report(
                LAYOUT.path(File.TABLE, table=name, format="csv"),
                caption=f"../report/{name}.rst",
                category="Tables",
                labels={"Table": title},
            )
            for name, title in TABLES.items()
        },
        markdown=[LAYOUT.path(File.TABLE, table=name, format="md") for name in TABLES],
        latex=[LAYOUT.path(File.TABLE, table=name, format="tex") for name in TABLES],
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
            name: report(
                LAYOUT.path(File.FIGURE, figure=name, format="svg"),
                caption=f"../report/{name}.rst",
                category="Figures",
                labels={"Figure": title},
            )
            for name, title in FIGURES.items()
        },
        png=[LAYOUT.path(File.FIGURE, figure=name, format="png") for name in FIGURES],
        numbers=[
            LAYOUT.path(File.FIGURE, figure=name, format="csv") for name in FIGURES
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
        dataset=LAYOUT.path(File.DATASET),
        tables=rules.tables.output,
        figures=rules.figures.output,
    output:
        page=report(
            LAYOUT.path(File.PAGE),
            caption="../report/page.rst",
            category="Page",
            labels={"Page": "Report"},
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
