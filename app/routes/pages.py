"""GET /: the page. GET /docs: Swagger UI, from this server's own files, so it works offline.

GET /embed/…: what pages of any other origin may load too. No page has an inline script, and none
loads anything from another host.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

WEB = Path(__file__).parent.parent / "web"

_CSP = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_NO_DEVICES = (
    "accelerometer=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), "
    "microphone=(), midi=(), payment=(), usb=()"
)
_PAGE_HEADERS = {
    "Content-Security-Policy": _CSP,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": f"camera=(self), {_NO_DEVICES}",
    "Referrer-Policy": "no-referrer",
}
_DOCS_HEADERS = _PAGE_HEADERS | {
    # Swagger UI sets style attributes from its script.
    "Content-Security-Policy": _CSP + "; style-src 'self' 'unsafe-inline'",
    "Permissions-Policy": f"camera=(), {_NO_DEVICES}",
}
# Whoever may reach the service may have its scripts; what they ask it for is CORS' and the keys'.
_ANY_ORIGIN = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}

router = APIRouter(include_in_schema=False)


@router.get("/")
async def page() -> FileResponse:
    return FileResponse(WEB / "index.html", headers=_PAGE_HEADERS)


@router.get("/docs")
async def docs() -> FileResponse:
    return FileResponse(WEB / "docs.html", headers=_DOCS_HEADERS)


class _EmbeddedFiles(StaticFiles):
    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(_ANY_ORIGIN)
        return response


def add_to(app: FastAPI) -> None:
    """The pages, their scripts and styles; Swagger UI's come from the package fastapi-offline."""
    app.include_router(router)
    # The page is 360 KB of text, or 100 compressed, which takes 15 ms in all.
    app.mount("/web", GZipMiddleware(StaticFiles(directory=WEB), compresslevel=6))
    app.mount("/embed", GZipMiddleware(_EmbeddedFiles(directory=WEB / "embed"), compresslevel=6))
    app.mount("/docs/assets", StaticFiles(directory=str(files("fastapi_offline") / "static")))
