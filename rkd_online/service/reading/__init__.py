"""What a job leaves behind, read for its viewers. Nothing here needs what a run needs."""
