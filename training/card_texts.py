"""What no model file can know of itself: what a data set is, whose, and what its models are for.

Keyed by the name of the data set; `training.model_card` fails where a text is missing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataText:
    """One data set in words; `hub` is its name on the Hugging Face Hub."""

    title: str
    hub: str
    source: str
    licence: str
    intended_use: str
    not_for: str


DATA_TEXTS = {
    "mnist": DataText(
        title="MNIST: 60,000 + 10,000 handwritten digits, 28×28 grey",
        hub="ylecun/mnist",
        source="LeCun, Cortes and Burges, 1998, from digits that NIST had collected",
        licence="CC BY-SA 3.0, as Keras documents it; the authors' own page names none",
        intended_use=(
            "Reading one handwritten digit in a picture: ink on paper or MNIST's own light on "
            "dark. Learning and teaching how a convolutional network works."
        ),
        not_for=(
            "Numbers of several digits, letters, print in the wild, cheques, ballots or anything "
            "else where a wrong digit costs somebody something and nobody looks again."
        ),
    ),
    "fashion-mnist": DataText(
        title="Fashion-MNIST: 60,000 + 10,000 articles of clothing, 28×28 grey",
        hub="zalando-datasets/fashion_mnist",
        source="Xiao, Rasul and Vollgraf, 2017, from Zalando's catalogue",
        licence="MIT, copyright Zalando SE",
        intended_use=(
            "One article of clothing, seen from the front, light on a dark ground, as in a "
            "catalogue. Comparing networks, learning and teaching."
        ),
        not_for="Photos of people, of several articles, of a wardrobe; sorting a real catalogue.",
    ),
    "cifar10": DataText(
        title="CIFAR-10: 50,000 + 10,000 photos of ten kinds of things, 32×32 RGB",
        hub="uoft-cs/cifar10",
        source="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
        licence="none named; the authors ask to be cited",
        intended_use=(
            "Photos that show one of its ten kinds of things and little else. Comparing networks, "
            "learning and teaching."
        ),
        not_for=(
            "Anything that steers a vehicle or guards a door; pictures of other things, which get "
            "one of the ten labels all the same; details that are gone at 32×32 pixels."
        ),
    ),
    "cats-dogs": DataText(
        title="Cats and dogs: 2,000 + 2,000 photos of pets, of many sizes",
        hub="microsoft/cats_vs_dogs",
        source="Asirra: Elson, Douceur, Howell and Saul, 2007, photos from Petfinder.com",
        licence="not stated; Microsoft and Kaggle offer the photos for research",
        intended_use=(
            "Telling a photo of a cat from a photo of a dog. Learning how far a network gets with "
            "few pictures, from scratch and from one that was trained before."
        ),
        not_for=(
            "Other animals, both in one picture, breeds, or whether there is an animal at all: "
            "it says cat or dog to everything."
        ),
    ),
    "ImageNet (ILSVRC 2012)": DataText(
        title="ImageNet (ILSVRC 2012): 1.28 million photos of 1,000 kinds of things",
        hub="ILSVRC/imagenet-1k",
        source="Russakovsky and others, ImageNet Large Scale Visual Recognition Challenge, 2015",
        licence="for non-commercial research, as ImageNet's terms of access say",
        intended_use=(
            "Saying something sensible about any photo; a network to start from for pictures of "
            "your own."
        ),
        not_for=(
            "Telling people apart or judging them: of people it knows a ballplayer, a groom and a "
            "scuba diver. Decisions that nobody looks at again. Counting, or where in a photo a "
            "thing is."
        ),
    ),
}
