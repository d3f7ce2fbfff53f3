"""The mathematics: losses, kernels, objectives, minimizers. Arrays in, arrays out."""
