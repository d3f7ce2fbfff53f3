"""What others' configurations mean here: GDMix's, Photon-ML's."""
