"""The command line: reads options, calls the rooms, prints. Heavy imports wait for a command."""

import os
import signal
import sys
from typing import Annotated

import typer

from nnbench import __version__
from nnbench.cli import (
    advise,
    calibrate,
    compare,
    data,
    drift,
    explain,
    history,
    predict,
    race,
    run,
    scale,
    show,
    train,
)
from nnbench.errors import UserError

app = typer.Typer(
    help="How does the architecture of a network change the time it takes to train, and why?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("compare")(compare.compare)
app.command("scale")(scale.scale)
app.command("calibrate")(calibrate.calibrate)
app.command("predict")(predict.predict)
app.command("explain")(explain.explain)
app.command("report")(run.report_command)
app.command("advise")(advise.advise)
app.command("race")(race.race)
app.command("show")(show.show)
app.command("train")(train.train)
app.command("devices")(show.devices_command)
app.command("doctor")(show.doctor)
app.add_typer(data.app, name="data", no_args_is_help=True)
app.add_typer(drift.app, name="drift")
app.add_typer(history.app, name="history")


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error and exit status 2."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app(standalone_mode=True)
    except UserError as mistake:
        sys.stderr.write(f"nnbench: {mistake}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("nnbench: interrupted; what was measured is kept\n")
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has left: nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        sys.stdout.write(f"{__version__}\n")
        raise typer.Exit
