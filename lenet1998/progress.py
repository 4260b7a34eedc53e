"""Progress of a run on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from lenet1998.learning.training import Progress as Standing


@contextmanager
def pass_progress(console: Console, dataset_name: str) -> Iterator[Callable[[Standing], None]]:
    """A bar over the passes, and a line for each that has ended.

    Yields what `learning.train` takes as `on_progress`.
    """
    bar = Progress(
        TextColumn("pass {task.fields[number]}/{task.fields[passes]}"),
        BarColumn(),
        TextColumn("{task.fields[speed]:,.0f} patterns/s"),
        TextColumn("running error {task.fields[error]:.2f} %"),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("left"),
        console=console,
        transient=True,
    )
    console.print(f"Training on {dataset_name}", highlight=False)
    console.print("pass  training error, on line   test error", highlight=False)
    task = bar.add_task("", total=None, number=1, passes=1, speed=0.0, error=100.0)

    def show(standing: Standing) -> None:
        done = (standing.pass_number - 1) * standing.patterns_in_pass + standing.patterns
        bar.update(
            task,
            total=standing.passes * standing.patterns_in_pass,
            completed=done,
            number=standing.pass_number,
            passes=standing.passes,
            speed=standing.patterns_per_second,
            error=standing.online_training_error_percent,
        )
        record = standing.finished
        if record is not None:
            bar.console.print(
                f"{record.number:4d}  {record.online_training_error_percent:20.2f} %"
                f"  {record.test_error_percent:9.2f} %",
                highlight=False,
            )

    with bar:
        yield show
