"""The commands of `convolu-train`, one file each; they import Keras when they are called."""
