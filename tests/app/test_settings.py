from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVOLU_PORT", "9000")
    monkeypatch.setenv("CONVOLU_MODELS", "/srv/models")
    monkeypatch.setenv("CONVOLU_CORS_ORIGINS", "https://a.example, http://localhost:5173")
    settings = Settings()
    assert settings.port == 9000
    assert settings.models == Path("/srv/models")
    assert settings.cors_origins == ("https://a.example", "http://localhost:5173")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "-1"),
        ("PORT", "65536"),
        ("PORT", "eighty"),
        ("WORKERS", "0"),
        ("MAX_UPLOAD_BYTES", "0"),
        ("MAX_QUEUE_SIZE", "0"),
        ("MAX_PIXELS", "0"),
        ("MAX_DECODE_BYTES", "33554431"),  # 32 MiB are the least
        ("MAX_FORM_PARTS", "0"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "https://*.example.org"),
        ("CORS_ORIGINS", "example.org"),
        ("CORS_ORIGINS", "https://example.org/page"),
        ("CORS_ORIGINS", "null"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"CONVOLU_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_every_setting_is_in_the_documentation_with_its_default() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    for name, field in Settings.model_fields.items():
        assert f"`CONVOLU_{name.upper()}`" in page, name
        assert str(field.description) in page, name
