"""GET /models: what can be asked. GET /models/{name}: everything a model file says of itself."""

from __future__ import annotations

from fastapi import APIRouter, Request

from app.errors import UnknownModel
from app.problems import documented
from app.registry import Registry
from app.schemas import ModelCard, ModelList, ModelSummary

router = APIRouter(tags=["models"])


@router.get("/models", summary="List the models", responses=documented())
async def models(request: Request) -> ModelList:
    """Every model in service, by name."""
    registry: Registry = request.app.state.registry
    return ModelList(
        models=[
            ModelSummary(
                name=model.name,
                version=model.version,
                default=model is registry.default,
                proven=model.proven,
                description=model.card.description,
                labels=model.card.labels,
                accuracy=model.card.metrics.accuracy if model.card.metrics else None,
            )
            for model in registry.models
        ]
    )


@router.get("/models/{name}", summary="Show a model's card", responses=documented(UnknownModel))
async def model(name: str, request: Request) -> ModelCard:
    """One model's card: labels, preprocessing, layers, metrics, how it was made."""
    registry: Registry = request.app.state.registry
    found = registry.get(name)
    card = found.card.model_dump(mode="json", exclude={"proof"})
    if found.card.proof is not None:
        proof = found.card.proof
        card["proof"] = {"tolerance": proof.tolerance, "images": len(proof.images)}
    return ModelCard(
        name=found.name,
        version=found.version,
        default=found is registry.default,
        proven=found.proven,
        card=card,
    )
