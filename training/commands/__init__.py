"""The commands of `convolu-train`, and what they share; they import Keras when they are called."""
