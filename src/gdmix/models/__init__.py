"""What training leaves behind: one part for each coordinate, and their sum."""
