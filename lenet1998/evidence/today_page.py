"""The page of a comparison of networks."""

from __future__ import annotations

from matplotlib.figure import Figure

from lenet1998.data import Dataset
from lenet1998.data.disturbances import DISTURBANCES
from lenet1998.evidence import facts
from lenet1998.evidence.today import Comparison, Measures
from lenet1998.measures.certainty import REJECTED_PERCENT, TARGET_PERCENT
from lenet1998.report import plots, views
from lenet1998.report.sections import Conclusion, Document, Plot, Section, Table

_FEWEST_IN_BIN = 10  # a bin of calibration with fewer digits says nothing


def present(comparison: Comparison, dataset: Dataset) -> Document:
    """The page of what `today.compare` measured on a data set, whose digits are drawn."""
    networks = dict(zip(_labels(comparison), comparison.networks, strict=True))
    trained_on = sorted({measures.trained_on for measures in networks.values()})
    text = [
        f"Test digits: {comparison.dataset}, {comparison.digits:,}; for noise, shift and rotation "
        f"{comparison.disturbed_digits:,} of them, evenly taken. Trained on: "
        f"{', '.join(trained_on)}. Measured in {comparison.seconds:.0f} s.",
    ]
    seeds = [(measures.seed, measures.seeds) for measures in networks.values() if measures.seeds]
    if seeds and all(seed == errors.median_seed for seed, errors in seeds):
        text.append(
            "Of the seeds of each network, the one of median test error is measured; the test set "
            "chose nothing else."
        )
    strangers = f"The digits read here are {comparison.dataset}; networks were trained on others."
    return Document(
        "LeNet-5 of 1998, and what goes by its name today",
        [
            _errors(networks, dataset),
            _costs(networks),
            _misread(comparison, networks, dataset),
            _robustness(comparison, networks),
            _rejection(networks, dataset),
            _calibration(networks, dataset),
        ],
        warnings=[strangers] if trained_on != [comparison.dataset] else [],
        text=text,
        digits="" if dataset.is_comparable else dataset.name,
        beside="published",
    )


def _labels(comparison: Comparison) -> list[str]:
    """The networks' names, of long paths the end where those differ: plots have no room."""
    names = [measures.name for measures in comparison.networks]
    ends = [name[-40:] for name in names]
    return ends if len(set(ends)) == len(names) else names


def _errors(networks: dict[str, Measures], dataset: Dataset) -> Section:
    columns = {
        "error, %": lambda net: f"{net.test_error_percent:.2f}",
        "95 % interval": lambda net: "{:.2f}–{:.2f}".format(*net.interval_percent),
        "seeds": lambda net: str(len(net.seeds.seeds)) if net.seeds else "–",
        "mean ± deviation": lambda net: net.seeds.spread.mean_in_words() if net.seeds else "–",
        "range": lambda net: net.seeds.spread.range_in_words() if net.seeds else "–",
        "passes": lambda net: str(net.seeds.passes) if net.seeds else "–",
    }
    conclusions, spreads, measured = [], {}, {}
    for name, net in networks.items():
        spreads[name] = net.seeds.test_error_percent if net.seeds else ()
        measured[name] = net.test_error_percent
        printed = facts.published(name)
        error = net.seeds.spread.in_words() if net.seeds else f"{net.test_error_percent:.2f} %"
        of_source = "–" if printed is None else f"{printed:.2f} %"
        conclusions.append(Conclusion(f"test error of {name}", of_source, error))
    figure, axes = plots.plot("Test error", dataset.name, plots.row_height(len(networks)))
    plots.dots(axes, spreads, plots.COLOURS, measured)
    caption = "Circles: the seeds; full: the network measured on this page. Stroke: their mean."
    if dataset.is_comparable:
        plots.level(axes, facts.TEST_ERROR, f"1998: {facts.TEST_ERROR:.2f}", upright=True)
        caption += " Dotted: the paper."
    axes.set(xlabel="test error (%)", xlim=(0, None))
    table = Table.of(f"Errors on {dataset.name}", "network", networks, columns)
    plot = Plot("errors", figure, caption)
    return Section("Errors", tables=[table], plots=[plot], conclusions=conclusions)


def _costs(networks: dict[str, Measures]) -> Section:
    def per_digit(net: Measures) -> str:
        fused = net.fused_microseconds_per_digit
        return f"{net.microseconds_per_digit:.0f}" + ("" if fused is None else f" ({fused:.0f})")

    columns = {
        "parameters": lambda net: f"{net.trainable:,}",
        "connections": lambda net: f"{net.connections:,}",
        "multiply-adds": lambda net: f"{net.multiply_adds:,}",
        "µs per digit": per_digit,
        "s per pass": lambda net: f"{net.seconds_per_pass:.1f}",
    }
    note = (
        "Connections and multiply-adds as the command lenet1998 summary counts them. Time on one "
        "thread of this machine: a digit in PyTorch, batches of 1,000 (in brackets: the fused "
        "kernels); a pass through the training set, from a part of it."
    )
    title = "Size and time"
    return Section(title, tables=[Table.of(title, "network", networks, columns)], note=note)


def _misread(comparison: Comparison, networks: dict[str, Measures], dataset: Dataset) -> Section:
    (first, of_first), by_all = next(iter(networks.items())), comparison.misread_by_all
    names = [net.name for net in comparison.networks]
    shared = dict(zip(names, map(str, comparison.shared[0]), strict=True)) | {of_first.name: "–"}
    columns = {
        "misread": lambda net: str(len(net.misread)),
        "by it alone": lambda net: str(net.misread_alone),
        f"shared with {first}": lambda net: shared[net.name],
        "by all": lambda net: str(len(by_all)),
    }
    caption = "Test digits that both networks misread; on the diagonal, how many each misreads."
    shown = [Plot("shared", _draw_shared(comparison), caption)]
    if by_all:
        answers = {digit.index: digit.answers[0] for digit in by_all}
        figure = views.misread_digits(dataset, answers)
        caption = f"Misread by all; the answers are {first}'s."
        shown.append(Plot("misread_by_all", figure, caption))
    table = Table.of("Misread digits", "network", networks, columns)
    return Section("Which digits they misread", tables=[table], plots=shown)


def _draw_shared(comparison: Comparison) -> Figure:
    names = _labels(comparison)
    figure, axes = plots.plot("Misread by both", comparison.dataset, height=4.0)
    axes.imshow(comparison.shared, cmap="Blues", vmin=0)
    largest = max(max(row) for row in comparison.shared)
    for i, row in enumerate(comparison.shared):
        for k, count in enumerate(row):
            weight = "bold" if i == k else "normal"
            colour = "white" if count > 0.6 * largest else plots.TEXT
            axes.text(k, i, str(count), ha="center", va="center", weight=weight, color=colour)
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_xticks(range(len(names)), names, fontsize=9, rotation=35, ha="right")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


def _robustness(comparison: Comparison, networks: dict[str, Measures]) -> Section:
    kinds = comparison.disturbances
    figure, panels = plots.panels("Disturbed digits", comparison.dataset, len(kinds), 2.5)
    tables = []
    for axes, (kind, strengths) in zip(panels, kinds.items(), strict=True):
        disturbance, rows = DISTURBANCES[kind], []
        scaled = [disturbance.scale * strength for strength in strengths]
        for place, (name, net) in enumerate(networks.items()):
            errors = net.robustness[kind]
            axes.plot(scaled, errors, label=name, markersize=4, **plots.style(place))
            rows.append((name, *(f"{error:.1f}" for error in errors)))
        axes.set(xlabel=disturbance.unit, ylabel="error (%)", ylim=(0, 100))
        header = (kind, *map(disturbance.in_words, strengths))
        tables.append(Table(f"Error in % under {kind}", header, rows))
    plots.legend_below(figure, panels[0])
    text = [
        f"Errors in percent, of {comparison.disturbed_digits:,} test digits. In training no "
        "network sees such digits, unless its recipe has distortions.",
        "Noise: each pixel is inverted with the probability given; the paper's noise-resistant "
        f"network was trained with {100 * facts.INVERTED_PIXELS:g} % (section III.E). Shift: "
        "right, down, left and up in turn; networks that take 28×28 pixels do not see the border "
        "of 2. Rotation: about the centre, to either side in turn.",
    ]
    plot = Plot("robustness", figure, "Error against noise, shift and rotation.")
    return Section("Robustness", text, tables, [plot])


def _rejection(networks: dict[str, Measures], dataset: Dataset) -> Section:
    figure, axes = plots.plot("Rejection", dataset.name, height=4.0)
    for place, (name, net) in enumerate(networks.items()):
        colour = plots.style(place)["color"]
        axes.plot(REJECTED_PERCENT, net.rejection.error_percent, color=colour, label=name)
    plots.level(axes, TARGET_PERCENT)
    axes.set(xlabel="rejected (%)", ylabel="error of the others (%)")
    axes.set(xlim=(0, None), ylim=(0, None))
    plots.legend_below(figure, axes)
    columns = {
        "by difference, %": lambda net: f"{net.rejection.by_difference_percent:.1f}",
        "by probability, %": lambda net: f"{net.rejection.by_probability_percent:.1f}",
    }
    text = (
        f"How many digits must be left unread for {TARGET_PERCENT} % error among the others: by "
        "the difference between the best two scores, as in Fig. 10, and by the probability of the "
        "answer."
    )
    table = Table.of(f"Rejected for {TARGET_PERCENT} % error", "network", networks, columns)
    plot = Plot("rejection", figure, "Rejected by the difference of the best two scores.")
    return Section("Rejection", [text], [table], [plot])


def _calibration(networks: dict[str, Measures], dataset: Dataset) -> Section:
    figure, axes = plots.plot("Calibration", dataset.name, height=4.4)
    axes.plot((0, 100), (0, 100), color=plots.TEXT, linewidth=1, linestyle=":")
    for place, (name, net) in enumerate(networks.items()):
        filled = [of_bin for of_bin in net.calibration.bins if of_bin[0] >= _FEWEST_IN_BIN]
        confidences = [100 * confidence for _, confidence, _ in filled]
        shares = [100 * share for _, _, share in filled]
        # The first in front and broad: it lies among the others.
        front = {"linewidth": 1, "zorder": 2} if place else {"linewidth": 2.5, "zorder": 4}
        axes.plot(confidences, shares, markersize=5, label=name, **front, **plots.style(place))
    axes.set(xlabel="probability of the answer (%)", ylabel="answers that are right (%)")
    axes.set(xlim=(20, 102), ylim=(0, 102))
    plots.legend_below(figure, axes)
    columns = {
        "calibration error, %": lambda net: f"{net.calibration.expected_error_percent:.2f}",
        "confidence, %": lambda net: f"{net.calibration.confidence_percent:.2f}",
        "right, %": lambda net: f"{100 - net.test_error_percent:.2f}",
    }
    text = (
        "Can the probability of an answer be believed? Of a network of 1998 it is eq. 9's without "
        "the rubbish class, of the others the softmax. The calibration error is the mean distance "
        "between probability and share of right answers, over 15 bins."
    )
    table = Table.of("Calibration", "network", networks, columns)
    plot = Plot("calibration", figure, "On the diagonal all is as it should be; below, too sure.")
    return Section("Calibration", [text], [table], [plot])
