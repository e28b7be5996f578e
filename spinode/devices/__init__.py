"""What is driven, and how: skyrmion disks, the nano-oscillator, drives, the paper's protocols."""
