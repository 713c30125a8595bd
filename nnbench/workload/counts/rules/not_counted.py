"""Keras' layers that have no rule, and why; they are named where they stand in a network."""

from typing import Any

from nnbench.workload.counts.calls import keras_kind

OWN = "operations of its own"

_REASONS = {
    "what its function computes": ("Lambda",),
    "computed by another library": ("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"),
    "its norm of the kernel": ("SpectralNormalization",),
    "preparing data": (
        "CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", "IntegerLookup",
        "StringLookup", "TextVectorization", "MelSpectrogram", "STFTSpectrogram",
        "MaxNumBoundingBoxes",
    ),
    "changing images": (
        "AugMix", "AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "CutMix",
        "Equalization", "MixUp", "RandAugment", "RandomBrightness", "RandomColorDegeneration",
        "RandomColorJitter", "RandomContrast", "RandomElasticTransform", "RandomErasing",
        "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective",
        "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness",
        "RandomShear", "RandomTranslation", "RandomZoom", "Solarization",
    ),
}  # fmt: skip
NOT_COUNTED = {kind: reason for reason, kinds in _REASONS.items() for kind in kinds}
"""What of a layer is not counted, by the name of Keras' class."""


def why(layer: Any) -> str:
    """What of a layer without a rule is not counted, in words."""
    return NOT_COUNTED.get(keras_kind(layer) or "", OWN)
