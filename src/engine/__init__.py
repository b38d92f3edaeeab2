"""Turns archives into datasets and reads them back: protocols, units, workers, manifest, sampler."""
