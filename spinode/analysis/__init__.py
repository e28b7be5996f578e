"""What is said about trajectories: errors, spectra, other methods, figures."""
