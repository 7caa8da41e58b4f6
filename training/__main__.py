"""The model maker's command line: `convolu-train`, or `python -m training`."""

from __future__ import annotations

import typer

from training.commands.build import build
from training.commands.compare import compare
from training.commands.doctor import doctor
from training.commands.evaluate import evaluate
from training.commands.export import export
from training.commands.fit import fit
from training.commands.readme import readme
from training.commands.recipes import recipes
from training.commands.report import report
from training.commands.summary import summary

cli = typer.Typer(
    help="Train image classifiers and export them to ONNX files that Convolu serves.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.command()(build)
cli.command()(fit)
cli.command()(evaluate)
cli.command()(export)
cli.command()(report)
cli.command()(compare)
cli.command()(summary)
cli.command()(doctor)
cli.command()(recipes)
cli.command()(readme)


if __name__ == "__main__":
    cli(prog_name="convolu-train")
