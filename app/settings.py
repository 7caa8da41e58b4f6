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
    max_pixels: int = Field(
        50_000_000,
        ge=1,
        description="Most pixels of an image, whatever its format; some formats may have fewer.",
    )
    max_decode_bytes: int = Field(
        512 * MIB,
        ge=32 * MIB,  # an image of a megapixel is not counted, and takes up to 24
        description="Memory that decoding may take at once, per process.",
    )
    max_form_parts: int = Field(
        128, ge=1, description="Most parts of a form, files and fields together."
    )

    max_queue_seconds: float = Field(
        1,
        gt=0,
        description="Longest that an image may wait; one that would longer gets 503 at once.",
    )
    max_held_bytes: int = Field(
        128 * MIB,
        ge=1,
        description="Request bodies held at once, per process, arriving or waiting; more get 503.",
    )
    max_header_bytes: int = Field(
        16 * 1024, ge=512, description="Largest request line and headers together; more get 431."
    )
    max_connections: int = Field(
        1000, ge=1, description="Connections per process; a request on one more gets 503."
    )
    receive_timeout_seconds: float = Field(
        15, gt=0, description="Longest that a request may take to arrive; after it 408."
    )
    watch_seconds: float = Field(
        0.5, gt=0, description="How often the models and the key file are looked at for changes."
    )
    max_model_bytes: int = Field(
        2048 * MIB,
        ge=1,
        description="Memory that loading and proving a model may take, and so its file.",
    )
    api_keys_file: Path | None = Field(
        None, description="File of API keys, `NAME SHA256` a line; without it nobody needs one."
    )
    inside: bool = Field(
        True, description="Whether networks may be looked into: /inside, /explain and /seen."
    )
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="A port of its own for /metrics, which then needs no key; 0 takes a free one.",
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
