"""A pretrained network begins with new classes: features, a head on them, its last layers freed."""
