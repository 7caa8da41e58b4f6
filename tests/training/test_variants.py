from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from training.recipes import RECIPES
from training.variants import LECTURE, Variant, named, variants, vary

TWO = RECIPES["mnist-2conv"]
ONE = RECIPES["mnist-1conv"]


def test_a_variant_is_a_recipe_of_its_own_that_differs_in_its_network_alone() -> None:
    varied = vary(TWO, Variant(strides=2, padding="same", pooling="average", head="global-max"))
    assert varied.name == "mnist-2conv-strides2-same-average-globalmax"
    assert varied.variant == {
        "strides": 2,
        "padding": "same",
        "pooling": "average",
        "head": "global-max",
    }
    assert varied.description == (
        "Handwritten digits 0-9: the lecture's network with two convolutions; every convolution "
        "with stride 2, every convolution with padding same, every pooling average, "
        "global-max pooling instead of flatten."
    )
    assert replace(varied, name=TWO.name, description=TWO.description, variant={}) == TWO


@pytest.mark.parametrize(
    ("variant", "name"),
    [
        (Variant(), "mnist-1conv"),
        (Variant(1, "valid", "max", "flatten"), "mnist-1conv"),
        (Variant(2, "valid", "max", "flatten"), "mnist-1conv-strides2"),
        (Variant(padding="same", head="flatten"), "mnist-1conv-same"),
        (Variant(pooling="average", head="global-average"), "mnist-1conv-average-globalaverage"),
    ],
)
def test_what_the_lecture_has_already_is_no_change(variant: Variant, name: str) -> None:
    assert vary(ONE, variant).name == name


def test_where_the_lecture_mixes_its_poolings_either_is_a_change() -> None:
    assert vary(TWO, Variant(pooling="max")).name == "mnist-2conv-max"
    assert vary(TWO, Variant(pooling="average")).name == "mnist-2conv-average"


@pytest.mark.parametrize(
    "wrong", [{"strides": 3}, {"padding": "full"}, {"pooling": "min"}, {"head": "global"}]
)
def test_a_value_that_is_no_choice_is_refused_with_the_choices(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=rf"{name} is one of .*; received {wrong[name]!r}"):
        Variant(**wrong)


def test_a_network_that_is_not_the_lectures_has_no_variants() -> None:
    other = replace(ONE, name="other", network="other")
    assert vary(other, Variant()) is other
    assert variants(other) == [other]
    with pytest.raises(
        ValueError, match=r"other has no variants. These have: mnist-1conv, .*, cats-dogs-simple\."
    ):
        vary(other, Variant(strides=2))


def test_a_variant_is_not_varied_again() -> None:
    with pytest.raises(ValueError, match="is a variant already"):
        vary(vary(ONE, Variant(strides=2)), Variant(padding="same"))


def test_every_variant_of_a_recipe_has_a_name_of_its_own_and_is_found_by_it() -> None:
    assert len(variants(ONE)) == 2 * 2 * 2 * 3
    assert len(variants(TWO)) == 2 * 2 * 3 * 3  # its poolings are mixed, all max or all average
    for recipe in (*variants(ONE), *variants(TWO)):
        assert named(recipe.name) == recipe


@pytest.mark.parametrize("name", ["", "nonsense", "mnist-1conv-", "mnist-1conv-strides3"])
def test_a_name_of_no_recipe_is_a_key_error(name: str) -> None:
    with pytest.raises(KeyError):
        named(name)


def test_every_network_of_the_lecture_has_variants() -> None:
    assert set(LECTURE) == {"mnist_1conv", "mnist_2conv", "cifar10_simple", "cats_dogs"}
