"""A rival: FastAPI and ONNX Runtime as tutorials put them together.

    PYTHON benchmarks/peers/fastapi_tutorial.py --model FILE --side 28 --mode L --port PORT

`--tuned` adds what their manuals advise for speed. PYTHON is that of an environment with
tutorial.txt. Knows nothing of Convolu.
"""

from __future__ import annotations

from typing import Annotated

import uvicorn
from fastapi import FastAPI, File, UploadFile
from fastapi.responses import JSONResponse
from picture_model import answer, arguments, model_from_environment

WORKERS = 2


def create_app() -> FastAPI:
    """The application of one worker process."""
    app = FastAPI()
    model = model_from_environment()

    async def predict(file: Annotated[UploadFile, File()]):  # type: ignore[no-untyped-def]
        probabilities = model.probabilities(model.pixels(await file.read())[None])[0]
        # A response of its own spares FastAPI's encoder: about a tenth more digits a second, as
        # many as with orjson. `def` instead of `async def` loses two fifths of them.
        return JSONResponse(answer(probabilities)) if model.tuned else answer(probabilities)

    app.post("/predict")(predict)
    return app


if __name__ == "__main__":
    given = arguments()
    uvicorn.run(
        "fastapi_tutorial:create_app",
        factory=True,
        host="127.0.0.1",
        port=given.port,
        workers=WORKERS,
        access_log=not given.tuned,
    )
