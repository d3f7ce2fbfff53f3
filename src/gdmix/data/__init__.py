"""From files and frames to arrays: sources, feature index, data set, grouping by entity."""
