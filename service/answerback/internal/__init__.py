"""What supervisor and worker say to each other; no promise to anyone else."""
