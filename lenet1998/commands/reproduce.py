"""`lenet1998 reproduce`: a network trained as in 1998, and the result beside the paper's."""

from __future__ import annotations

import json
from pathlib import Path

from lenet1998.commands.summary import Summary, layer_table, summarise
from lenet1998.data import Dataset
from lenet1998.evidence import facts, fig05
from lenet1998.files import write_atomically
from lenet1998.learning.presets import LITERAL_NOTE
from lenet1998.measures.answers import misread, scores
from lenet1998.measures.misread import wrong_answers
from lenet1998.models.chain import ChainNetwork
from lenet1998.report import html, views
from lenet1998.report.sections import Conclusion, Document, Outcome, Plot, Section
from lenet1998.runs.run import Run


def reproduce(run: Run, dataset: Dataset, folder: Path) -> Outcome:
    """Measure a run of `learning.train`, and write what it came to into its folder.

    `fig05.png`, `report.html`, and `summary.json`, which holds the outcome's values. Each file is
    whole or absent.
    """
    points = fig05.is_repeated(run)
    drawn = fig05.draw(fig05.Curves.of([run]), run.dataset_name, points=points)
    circles = "Circles: the points of the paper's Fig. 5. " if points else ""
    curve = Plot("fig05", drawn, f"{circles}Lines: this run, one seed.")
    page = folder / "report.html"
    values, document = _values(run, dataset), _document(run, dataset, curve)
    write_atomically(folder / "fig05.png", curve.png)
    write_atomically(page, html.page(document))
    write_atomically(folder / "summary.json", json.dumps(values, indent=2) + "\n")
    return Outcome(values, document, page=str(page))


def _values(run: Run, dataset: Dataset) -> dict[str, object]:
    last = run.records[-1]
    after = misread(run.net, dataset.training_images, dataset.training_labels)
    updates = len(dataset.training_labels) * len(run.records)
    learning = sum(record.learning_seconds for record in run.records)
    return {
        "dataset": run.dataset_name,
        "seed": run.recipe.seed,
        "recipe": run.recipe.name,
        "test_error_percent": round(last.test_error_percent, 4),
        "training_error_percent": round(last.online_training_error_percent, 4),
        "training_error_after_last_pass_percent": round(100 * after.double().mean().item(), 4),
        "passes": len(run.records),
        "seconds": round(last.seconds, 3),
        "updates_per_second": round(updates / learning, 1) if learning else None,
        "engine": run.engine,
    }


def _document(run: Run, dataset: Dataset, curve: Plot) -> Document:
    digits, recipe, net = run.dataset_name, run.recipe, run.net
    images, labels = dataset.test_images, dataset.test_labels
    warnings = []
    if not dataset.is_comparable:
        warnings.append(f"This run used {digits}. Its errors cannot be set against the paper's.")
    if recipe.name == "paper-literal":
        warnings.append(LITERAL_NOTE)
    counted = summarise(net, images.shape[-1])
    conclusions = _conclusions(run, counted)
    sections = [
        Section("The learning curve (Fig. 5)", plots=[curve], conclusions=conclusions),
        Section("The parameters, layer by layer", tables=[layer_table(counted)]),
    ]
    if isinstance(net, ChainNetwork):
        plot = Plot("kernels", views.first_layer_kernels(net), "The six 5x5 kernels of C1.")
        sections.append(Section("What C1 has learnt to see", plots=[plot]))
    wrong = wrong_answers(scores(net, images).argmax(1), labels)
    drawn = views.misread_digits(dataset, wrong)
    plot = Plot("misread", drawn, "Under each digit: its label, and the network's answer.")
    title = f"The {len(wrong)} misread test digits (Fig. 8)"
    sections.append(Section(title, plots=[plot] if wrong else []))
    sections.append(Section("The recipe", code=recipe.to_json()))
    text = (
        f"Data: {digits}, {len(dataset.training_labels):,} training and {len(labels):,} test "
        f"digits. Recipe: {recipe.name}, seed {recipe.seed}, {len(run.records)} passes."
    )
    others = "" if dataset.is_comparable else digits
    return Document("LeNet-5, as in 1998", sections, warnings, [text], others)


def _conclusions(run: Run, counted: Summary) -> list[Conclusion]:
    last, (test, training) = run.records[-1], errors_of_1998(run)
    time = facts.TRAINING_TIME if last.number == 20 and test is not None else None
    total, paper = counted.total, facts.NETWORK
    agree = {True: "✓", False: "differs", None: ""}
    learn, connect = agree[total.parameters_agree], agree[total.connections_agree]
    at, online = f" (pass {last.number})", last.online_training_error_percent
    error, count = "{:.2f} %".format, "{:,}".format
    printed = [error(value) if value is not None else "–" for value in (test, training)]
    trainable, connections = count(total.count.trainable), count(total.count.connections)
    return [
        Conclusion("test error" + at, printed[0], error(last.test_error_percent)),
        Conclusion("training error, on line" + at, printed[1], error(online)),
        Conclusion("trainable parameters", count(paper.trainable), trainable, learn),
        Conclusion("connections", count(paper.connections), connections, connect),
        Conclusion("time", time or "–", f"{last.seconds:.0f} s"),
    ]


def errors_of_1998(run: Run) -> tuple[float | None, float | None]:
    """The paper's test error, and training error on line, after as many passes as a run's.

    None where it has none: Fig. 5 ends after pass 21, and of learning with distorted patterns
    there is the test error after pass 20 alone.
    """
    passes, curve = run.records[-1].number, facts.learning_curve()
    if fig05.is_repeated(run) and passes <= len(curve.test):
        # After 20 passes what the text prints; else, what Fig. 5 shows there.
        test = facts.TEST_ERROR if passes == 20 else curve.test[passes - 1]
        return test, curve.online_training[passes - 1]
    if fig05.is_repeated(run, distorted=True) and passes == 20:
        return facts.TEST_ERROR_DISTORTED, None
    return None, None
