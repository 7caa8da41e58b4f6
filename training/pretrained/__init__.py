"""Networks that others trained on ImageNet, as a start for one's own pictures."""
