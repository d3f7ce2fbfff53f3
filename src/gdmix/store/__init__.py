"""Models and runs on disk: written aside, renamed when whole, checked when read."""
