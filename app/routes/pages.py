"""GET /: the page. GET /docs: Swagger UI, from this server's own files, so it works offline.

No page has an inline script, and none loads anything from another host.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

WEB = Path(__file__).parent.parent / "web"

_CSP = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS = {
    "Content-Security-Policy": _CSP,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
# Swagger UI sets style attributes from its script.
_DOCS_HEADERS = _PAGE_HEADERS | {
    "Content-Security-Policy": _CSP + "; style-src 'self' 'unsafe-inline'"
}

router = APIRouter(include_in_schema=False)


@router.get("/")
async def page() -> FileResponse:
    return FileResponse(WEB / "index.html", headers=_PAGE_HEADERS)


@router.get("/docs")
async def docs() -> FileResponse:
    return FileResponse(WEB / "docs.html", headers=_DOCS_HEADERS)


def add_to(app: FastAPI) -> None:
    """The pages, their scripts and styles; Swagger UI's come from the package fastapi-offline."""
    app.include_router(router)
    app.mount("/web", StaticFiles(directory=WEB))
    app.mount("/docs/assets", StaticFiles(directory=str(files("fastapi_offline") / "static")))
