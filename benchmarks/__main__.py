"""Run all measurements side by side: `uv run python -m benchmarks`.

Prints one table, draws it, and writes `results.json` and `results.png` beside this file. Needs
MNIST: in the folder that LENET1998_DATA names, or where `lenet1998` finds it. It measures and
asserts nothing. Takes about ten minutes; `--quick` repeats less, `--only learning,reading` runs
parts.
"""

import argparse
import json
import tempfile
import time
from dataclasses import asdict, is_dataclass
from pathlib import Path

import torch
from matplotlib.figure import Figure
from rich.console import Console

from benchmarks import learning, modern, pictures, reading, seeds
from benchmarks.timing import Timing, machine
from lenet1998.commands.reproduce import reproduce
from lenet1998.data import load_dataset
from lenet1998.data.mnist import find_or_download
from lenet1998.learning import preset, train
from lenet1998.report import terminal
from lenet1998.report.plots import png
from lenet1998.report.sections import Document, Outcome, Section, Table

HERE = Path(__file__).parent
PARTS = ("learning", "reading", "pictures", "modern", "seeds", "reproduce")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repeats")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    parser.add_argument("--output", type=Path, default=HERE, help="folder for the results")
    options = parser.parse_args()
    chosen = options.only.split(",")
    unknown = set(chosen) - set(PARTS)
    if unknown:
        parser.error(f"unknown part {', '.join(sorted(unknown))}: expected {', '.join(PARTS)}")

    torch.set_num_threads(1)
    console = Console(width=100)
    # The raw folder is MNIST/raw inside what torchvision and --data take.
    folder = find_or_download(console.print).parent.parent
    dataset = load_dataset(folder)
    repeats = 3 if options.quick else 7
    file = options.output / "results.json"
    results = json.loads(file.read_text()) if file.is_file() else {}
    results["machine"] = machine()
    for part in chosen:
        console.print(f"[dim]{part} ...")
        if part == "learning":
            measured = learning.measure(dataset, repeats)
        elif part == "reading":
            measured = reading.measure(dataset.test_images, repeats)
        elif part == "pictures":
            measured = pictures.measure(dataset)
        elif part == "modern":
            measured = modern.measure(dataset, folder, 1 if options.quick else 3)
        elif part == "seeds":
            measured = seeds.measure(str(folder), passes=2 if options.quick else 8)
        else:
            measured = whole_reproduction(dataset)
        results[part] = plain(measured)
        file.write_text(json.dumps(results, indent=2) + "\n")
    print_results(results, console)
    (options.output / "results.png").write_bytes(png(draw(results)))


def whole_reproduction(dataset) -> dict[str, object]:
    """`lenet1998 reproduce --passes 20`, from the loaded data to the report, on one core."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run = train(preset("paper"), dataset, folder=Path(folder))
        outcome = reproduce(run, dataset, Path(folder))
        return {**outcome.values, "start_to_report_seconds": time.perf_counter() - started}


def plain(value):
    """Timings as median, fastest and spread; everything else as it is."""
    if isinstance(value, Timing):
        return {
            "median_seconds": value.median,
            "best_seconds": value.best,
            "spread_percent": value.spread_percent,
            "repeats": len(value.repeats),
        }
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return asdict(value) if is_dataclass(value) else value


def print_results(results: dict, console: Console) -> None:
    machine = ", ".join(f"{key} {value}" for key, value in results["machine"].items())
    table = Table(machine, ("what", "time", "ratio", "spread"), rows(results))
    terminal.show(Outcome(results, Document("", [Section(tables=[table])])), console)


def rows(results: dict) -> list[tuple[str, str, str, str]]:
    """The one table: what, time, ratio, spread over repeats."""

    def micro(timing):
        return f"{1e6 * timing['median_seconds']:,.1f} µs"

    def spread(timing):
        return f"{timing['spread_percent']:.0f} %"

    table = []
    if one := results.get("learning"):
        limit = f"{1e6 * one['limit_seconds']:.1f} µs"
        gflops = f"{one['matrix_product_gflops']:.0f} GFLOP/s"
        ours, eager = one["ours"], one["eager"]
        to_limit = f"{one['ours_to_limit']:.2f} × the limit"
        to_ours = f"{one['eager_to_ours']:.0f} × ours"
        table += [
            (f"one update's sums at a matrix product's {gflops}", limit, "the limit", ""),
            ("one update, fused", micro(ours), to_limit, spread(ours)),
            ("one update, eager PyTorch", micro(eager), to_ours, spread(eager)),
            (
                "curvature of 500 patterns",
                "",
                f"{one['curvature_share_of_pass']:.1%} of a pass",
                "",
            ),
            ("test on 10,000 digits", "", f"{one['test_share_of_pass']:.1%} of a pass", ""),
        ]
        for name, layer in one["layers"].items():
            both = layer["up_microseconds"] + layer["down_microseconds"]
            share = both / (1e6 * ours["median_seconds"])
            ways = f"{layer['up_microseconds']:.2f} + {layer['down_microseconds']:.2f} µs"
            table.append((f"  of which {name}, up + down", ways, f"{share:.0%}", ""))
        rest = 1e6 * ours["median_seconds"] - sum(
            layer["up_microseconds"] + layer["down_microseconds"]
            for layer in one["layers"].values()
        )
        table.append(("  of which all else", f"{rest:.2f} µs", "", ""))
    for batch, one in results.get("reading", {}).items():
        fused, eager, today = one["fused"], one["eager"], one["modern"]
        table += [
            (f"reading {batch}, per digit: fused", micro(fused), "", spread(fused)),
            (
                "  eager PyTorch", micro(eager),
                f"{one['eager_to_modern']:.2f} × modern", spread(eager),
            ),
            (
                "  modern network, eager", micro(today),
                f"{one['modern_to_fused']:.1f} × fused", spread(today),
            ),
        ]  # fmt: skip
    if one := results.get("pictures"):
        plain_error = one["error_percent"]["MNIST"]
        each = f"{one['milliseconds_per_picture']:.0f} ms"
        table.append((f"error on {one['digits']:,} digits", each, f"{plain_error:.1f} %", ""))
        table += [
            (f"  as a {kind}", "", f"{error:.1f} %", "")
            for kind, error in one["error_percent"].items()
            if kind != "MNIST"
        ]
        for kind, hard in one.get("hard", {}).items():
            each, wrong = f"{hard['milliseconds']:.0f} ms", f"{hard['misread']} misread"
            of = f"  {pictures.HARD} photographs: {kind}"
            table.append((of, each, wrong, f"{hard['refused']} refused"))
    if one := results.get("modern"):
        ours, tutorial = one["ours"], one["tutorial"]
        times = f"{one['tutorial_to_ours']:.1f} × ours"
        table += [
            ("modern epoch, in memory", f"{ours['median_seconds']:.1f} s", "", spread(ours)),
            ("  tutorial script", f"{tutorial['median_seconds']:.1f} s", times, spread(tutorial)),
        ]
    if one := results.get("seeds"):
        alone, together = one["one_run_seconds"], one["a_run_on_each_core_seconds"]
        passes = one["passes"]
        table += [
            (f"one run of {passes} passes", f"{alone:.1f} s", "", ""),
            (
                f"{one['cores']} runs on {one['cores']} cores", f"{together:.1f} s",
                f"{one['together_to_alone']:.2f} × one run", "",
            ),
        ]  # fmt: skip
    if one := results.get("reproduce"):
        seconds = f"{one['start_to_report_seconds']:.0f} s"
        table.append(("reproduce --passes 20, data to report", seconds, "", ""))
    return table


def draw(results: dict) -> Figure:
    """Updates and reading as bars, on a logarithmic scale."""
    bars = []
    if one := results.get("learning"):
        bars += [
            ("update: the limit", 1e6 * one["limit_seconds"], "#999999"),
            ("update: fused", 1e6 * one["ours"]["median_seconds"], "#b5403a"),
            ("update: eager PyTorch", 1e6 * one["eager"]["median_seconds"], "#2f6690"),
        ]
    if one := results.get("reading", {}).get("1000"):
        bars += [
            ("reading (1000): fused", 1e6 * one["fused"]["median_seconds"], "#b5403a"),
            ("reading (1000): eager", 1e6 * one["eager"]["median_seconds"], "#2f6690"),
            ("reading (1000): modern, eager", 1e6 * one["modern"]["median_seconds"], "#7a9e7e"),
        ]
    figure = Figure(figsize=(7, 0.5 + 0.4 * max(len(bars), 1)), layout="constrained")
    axes = figure.add_subplot()
    for place, (_, value, colour) in enumerate(reversed(bars)):
        axes.barh(place, value, color=colour)
        axes.text(value * 1.05, place, f"{value:,.1f} µs", va="center", fontsize=9)
    axes.set_yticks(range(len(bars)), [name for name, _, _ in reversed(bars)])
    axes.set(xscale="log", xlabel="microseconds per pattern, one core")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.15)
    return figure


if __name__ == "__main__":
    main()
