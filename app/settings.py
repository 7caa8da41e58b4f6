"""The environment → one frozen Settings, made at the edge and handed in.

Every field is read from `CONVOLU_` and its name in capitals; docs/settings.md lists them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MIB = 1024 * 1024


class Settings(BaseSettings):
    """How the service runs; the defaults are safe on a public address."""

    model_config = SettingsConfigDict(env_prefix="CONVOLU_", frozen=True, extra="forbid")

    models: Path = Field(Path("models"), description="Folder of *.onnx files to serve.")
    default_model: str | None = Field(
        None, description="Model that answers when a request names none; else the first by name."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(
        8000, ge=0, le=65535, description="TCP port to listen on; 0 takes a free one."
    )
    workers: int | None = Field(
        None, ge=1, le=256, description="Processes; default: one per core that may be used."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins whose pages may call the service, separated by commas."
    )
    max_upload_bytes: int = Field(
        10 * MIB, ge=1, description="Largest request body that is read; JSON may have 4/3 of it."
    )
    max_images_per_request: int = Field(64, ge=1, description="Most images in one request.")
    max_batch_size: int = Field(16, ge=1, description="Most images in one run of a model.")
    max_queue_size: int = Field(
        256, ge=1, description="Images that may wait per model and process; more get 503."
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(origin.strip() for origin in value.split(",") if origin.strip())
        return value

    @field_validator("cors_origins")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            scheme, _, rest = origin.partition("://")
            if scheme not in ("http", "https") or not rest or "/" in rest or "*" in rest:
                raise ValueError(
                    f"{origin!r} is not an origin such as https://www.example.org "
                    "(scheme and host, no path, no *)"
                )
        return value
