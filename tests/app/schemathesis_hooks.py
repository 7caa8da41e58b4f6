"""What a JSON schema cannot say of routes that take images; test_schema.py hands it on.

Everything else that Schemathesis finds is a failure. A code counts, not its status alone: the
same 422 for another reason is still a failure.
"""

from __future__ import annotations

from typing import Any

import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import AcceptedNegativeData, Failure, ServerError
from schemathesis.openapi.checks import RejectedPositiveData

RIGHT_ALL_THE_SAME = {
    # Any file is valid by the schema; only a decoder knows which are images. An empty one is not
    # forbidden there either: among many it spoils only itself. Nor is it said there which models
    # have an embedding.
    RejectedPositiveData: {"unsupported_image", "invalid_image", "empty_body", "no_embedding"},
    # Refused, but Schemathesis does not know 413 as a refusal.
    AcceptedNegativeData: {"too_many_images"},
    # A service without its default model is asked too, and must say so.
    ServerError: {"not_ready"},
}
# Which layers, channels and classes there are, and which methods fit.
ONLY_THE_MODEL_KNOWS = (
    "layer: the layers of this model are ",
    "channel: this layer has ",
    "channel: it needs a layer too",
    "class: the classes of this model are ",
    "method: this model allows ",
)


@schemathesis.hook
def filter_failure(
    context: HookContext, failure: Failure, case: Case[Any], response: Response
) -> bool:
    """Is this a failure indeed?"""
    codes = RIGHT_ALL_THE_SAME.get(type(failure), set())
    problem = response.json()
    if isinstance(failure, RejectedPositiveData) and problem.get("code") == "invalid_parameter":
        return not problem["detail"].startswith(ONLY_THE_MODEL_KNOWS)
    return not codes or problem.get("code") not in codes
