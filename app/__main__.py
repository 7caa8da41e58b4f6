"""The command line: `convolu`, or `python -m app`: serve, predict, models, key."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import orjson
import typer
from pydantic import ValidationError

from app import __version__
from app.errors import ConvoluError, ModelRefused
from app.keys import new_key
from app.metrics import Metrics
from app.problems import problem
from app.registry import Registry
from app.routes.predict import predictions
from app.serve import serve as run_server
from app.settings import Settings

cli = typer.Typer(
    help="Serve image classifiers: POST an image, get softmax class probabilities.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Models = Annotated[
    Path | None, typer.Option(help="Folder of *.onnx files. [env: CONVOLU_MODELS; models]")
]


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="[env: CONVOLU_HOST; 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="[env: CONVOLU_PORT; 8000]")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes. [env: CONVOLU_WORKERS; one per core]")
    ] = None,
    models: Models = None,
    default_model: Annotated[
        str | None, typer.Option(help="Answers when none is named. [env: CONVOLU_DEFAULT_MODEL]")
    ] = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(help="A page's origin that may call; repeatable. [env: CONVOLU_CORS_ORIGINS]"),
    ] = None,
) -> None:
    """Answer over HTTP until told to stop."""
    # Options become environment, because that is what reaches the worker processes.
    options = {
        "HOST": host,
        "PORT": port,
        "WORKERS": workers,
        "MODELS": models,
        "DEFAULT_MODEL": default_model,
        "CORS_ORIGINS": ",".join(cors_origin) if cors_origin else None,
    }
    for name, value in options.items():
        if value is not None:
            os.environ[f"CONVOLU_{name}"] = str(value)
    run_server(_settings())


@cli.command()
def predict(
    files: Annotated[list[Path], typer.Argument(help="Image files.")],
    model: Annotated[str | None, typer.Option(help="Name of a model.")] = None,
    top_k: Annotated[int | None, typer.Option(min=1, help="How many classes.")] = None,
    models: Models = None,
) -> None:
    """Classify files without a server, by the same code; one line of JSON per file."""
    registry = _registry(models)
    failed = False
    try:
        chosen = registry.get(model)
        for file in files:
            line: dict[str, object] = {"file": str(file)}
            try:
                classifier = chosen.batcher.classifier
                pixels = classifier.pixels_from(file.read_bytes())
                probabilities = classifier.classify(pixels[None])[0]
                line["predictions"] = predictions(chosen.card.labels, probabilities, top_k)
            except ConvoluError as exc:
                line["error"], failed = problem(exc), True
            except OSError as exc:
                line["error"], failed = {"detail": f"{exc.strerror}: {file}"}, True
            print(orjson.dumps(line, option=orjson.OPT_SERIALIZE_NUMPY).decode())
    except ConvoluError as exc:
        fail(str(exc))
    finally:
        registry.close()
    if failed:
        raise typer.Exit(1)


@cli.command()
def models(models: Models = None) -> None:
    """List the models of a folder, and the files that are refused."""
    registry = _registry(models)
    for model in registry.models:
        metrics = model.card.metrics
        accuracy = f"{metrics.accuracy:.2%}" if metrics else "-"
        proven = "proven" if model.proven else "unproven"
        print(
            f"{model.name:24} {model.version}  {proven:8}  {accuracy:>7}  {model.card.description}"
        )
    registry.close()


@cli.command()
def key(
    name: Annotated[str, typer.Argument(help="Whose key it is: letters, digits, . _ -")],
) -> None:
    """Make an API key: `convolu key frontend >> keys` keeps its hash, and shows the key once."""
    try:
        made, line = new_key(name)
    except ValueError:
        fail("A name is of letters, digits, dots, underscores and dashes, at most 64 of them.")
    print(f"The key, shown only now: {made}", file=sys.stderr)
    print(line)


@cli.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as exc:
        first = exc.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        fail(f"CONVOLU_{name}: {first['msg']}")


def _registry(models: Path | None) -> Registry:
    settings = _settings()
    settings = settings.model_copy(update={"models": models}) if models else settings
    registry = Registry(settings, Metrics())
    try:
        registry.load()
    except ModelRefused as exc:
        fail(str(exc))
    return registry


def fail(message: str) -> NoReturn:
    """End with exit code 1 and one line on stderr."""
    print(message, file=sys.stderr)
    raise typer.Exit(1)


if __name__ == "__main__":
    cli(prog_name="convolu")
