"""Run all measurements side by side: `uv run python -m benchmarks`.

Prints one table, draws it, and writes `results.json` and `results.png` beside this file. Needs
MNIST: in the folder that LENET1998_DATA names, or where `lenet1998` finds it. It measures and
asserts nothing. Takes about ten minutes; `--quick` repeats less, `--only learning,reading` runs
parts. `uv run --group benchmarks python -m benchmarks` times JAX and onnxruntime too.
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
from benchmarks.timing import Timing, machine, side_by_side
from lenet1998 import load
from lenet1998.commands.reproduce import reproduce
from lenet1998.data import load_dataset
from lenet1998.data.mnist import find_or_download
from lenet1998.evidence import fig24
from lenet1998.files import make_folder
from lenet1998.learning import preset, train
from lenet1998.report import terminal
from lenet1998.report.plots import png
from lenet1998.report.sections import Document, Outcome, Section, Table

HERE = Path(__file__).parent
WAYS = {"eager": "eager PyTorch", "modern": "modern network, eager", "onnxruntime": "onnxruntime"}
BEWARE = (
    "Times are medians of the repeats, the limit is the fastest. Where other programs run, trust "
    "neither; the ratios, measured in turn, suffer less."
)
PARTS = ("learning", "reading", "fields", "pictures", "modern", "seeds", "reproduce")


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
    file = make_folder(options.output) / "results.json"
    results = json.loads(file.read_text()) if file.is_file() else {}
    results["machine"] = machine()
    for part in chosen:
        console.print(f"[dim]{part} ...")
        if part == "learning":
            measured = learning.measure(dataset, repeats)
        elif part == "reading":
            measured = reading.measure(dataset.test_images, repeats)
        elif part == "fields":
            works = fig24.ways(load(fig24.NETWORK))
            with torch.no_grad():
                measured = side_by_side(works, 10 * repeats)
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
    table = Table(machine, ("what", "time", "ratio", "repeats", "spread"), rows(results))
    outcome = Outcome(results, Document("", [Section(text=[BEWARE], tables=[table])]))
    terminal.show(outcome, console)


def rows(results: dict) -> list[tuple[str, str, str, str, str]]:
    """The one table: what, median time, ratio, how many repeats, their spread."""

    def timed(what, timing, ratio=""):
        seconds = timing["median_seconds"]
        time = f"{seconds:.1f} s" if seconds > 0.1 else f"{1e6 * seconds:,.1f} µs"
        repeats, spread = str(timing["repeats"]), f"{timing['spread_percent']:.0f} %"
        return (what, time, ratio, repeats, spread)

    def to(timing, other, name):
        return f"{timing['median_seconds'] / other['median_seconds']:.1f} × {name}"

    table = []
    if one := results.get("learning"):
        ours, repeats = one["ours"], str(one["ours"]["repeats"])
        limit = f"{1e6 * one['limit_seconds']:.1f} µs"
        gflops = f"{one['matrix_product_gflops']:.0f} GFLOP/s"
        table += [
            (f"one update's sums at a matrix product's {gflops}", limit, "the limit", repeats, ""),
            timed("one update, fused", ours, f"{one['ours_to_limit']:.2f} × the limit"),
            timed("one update, eager PyTorch", one["eager"], to(one["eager"], ours, "fused")),
        ]
        if jax := one.get("jax"):
            table.append(timed("one update, JAX, jitted scan", jax, to(jax, ours, "fused")))
        for what, name in (
            ("curvature of 500 patterns", "curvature"),
            ("test on 10,000 digits", "test"),
        ):
            share = f"{one[f'{name}_share_of_pass']:.1%} of a pass"
            table.append((what, "", share, repeats, ""))
        for name, layer in one["layers"].items():
            both = layer["up_microseconds"] + layer["down_microseconds"]
            share = both / (1e6 * ours["median_seconds"])
            ways = f"{layer['up_microseconds']:.2f} + {layer['down_microseconds']:.2f} µs"
            table.append((f"  of which {name}, up + down", ways, f"{share:.0%}", repeats, ""))
        rest = 1e6 * ours["median_seconds"] - sum(
            layer["up_microseconds"] + layer["down_microseconds"]
            for layer in one["layers"].values()
        )
        table.append(("  of which all else", f"{rest:.2f} µs", "", "", ""))
    if reading := results.get("reading"):
        for batch, one in reading.items():
            fused = one["fused"]
            table.append(timed(f"reading {batch}, per digit: fused", fused))
            table += [
                timed(f"  {name}", one[way], to(one[way], fused, "fused"))
                for way, name in WAYS.items()
                if way in one
            ]
        _, fused = best(reading, "fused")
        for way, name in WAYS.items():
            if way in next(iter(reading.values())):
                batch, one = best(reading, way)
                what = f"reading at its best batch, {batch}: {name}"
                table.append(timed(what, one, to(one, fused, "fused's best")))
    if one := results.get("fields"):
        fused = one[fig24.SHARED]
        for way, timing in one.items():
            ratio = "" if way == fig24.SHARED else to(timing, fused, fig24.SHARED)
            table.append(timed(f"a field of 32x{fig24.WIDTH}, {way}", timing, ratio))
    if one := results.get("pictures"):
        plain_error = one["error_percent"]["MNIST"]
        each = f"{one['milliseconds_per_picture']:.0f} ms"
        table.append((f"error on {one['digits']:,} digits", each, f"{plain_error:.1f} %", "1", ""))
        table += [
            (f"  as a {kind}", "", f"{error:.1f} %", "1", "")
            for kind, error in one["error_percent"].items()
            if kind != "MNIST"
        ]
        for kind, hard in one.get("hard", {}).items():
            each, wrong = f"{hard['milliseconds']:.0f} ms", f"{hard['misread']} misread"
            of = f"  {pictures.HARD} photographs: {kind}"
            table.append((of, each, f"{wrong}, {hard['refused']} refused", "1", ""))
    if one := results.get("modern"):
        ours, tutorial = one["ours"], one["tutorial"]
        table += [
            timed("modern epoch, in memory", ours),
            timed("  tutorial script", tutorial, to(tutorial, ours, "ours")),
        ]
    if one := results.get("seeds"):
        alone, together = one["one_run_seconds"], one["a_run_on_each_core_seconds"]
        passes = one["passes"]
        table += [
            (f"one run of {passes} passes", f"{alone:.1f} s", "", "1", ""),
            (
                f"{one['cores']} runs on {one['cores']} cores", f"{together:.1f} s",
                f"{one['together_to_alone']:.2f} × one run", "1", "",
            ),
        ]  # fmt: skip
    if one := results.get("reproduce"):
        seconds = f"{one['start_to_report_seconds']:.0f} s"
        table.append(("reproduce --passes 20, data to report", seconds, "", "1", ""))
    return table


def best(reading: dict, way: str) -> tuple[str, dict]:
    """The size of the batch at which a way to read is fastest, and its timing there."""
    of_batches = {batch: one[way] for batch, one in reading.items()}
    return min(of_batches.items(), key=lambda item: item[1]["median_seconds"])


def draw(results: dict) -> Figure:
    """Updates and reading as bars, on a logarithmic scale."""
    bars = []
    if one := results.get("learning"):
        bars += [
            ("update: the limit", 1e6 * one["limit_seconds"], "#999999"),
            ("update: fused", 1e6 * one["ours"]["median_seconds"], "#b5403a"),
            ("update: eager PyTorch", 1e6 * one["eager"]["median_seconds"], "#2f6690"),
        ]
        if jax := one.get("jax"):
            bars.append(("update: JAX", 1e6 * jax["median_seconds"], "#a87b2d"))
    if reading := results.get("reading"):
        colours = {"fused": "#b5403a", "eager": "#2f6690", "modern": "#7a9e7e"}
        for way in ("fused", *(way for way in WAYS if way in next(iter(reading.values())))):
            batch, one = best(reading, way)
            name = f"reading ({batch}): {WAYS.get(way, way)}"
            bars.append((name, 1e6 * one["median_seconds"], colours.get(way, "#7b5c9e")))
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
