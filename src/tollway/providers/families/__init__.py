"""What is different for the models of one vendor, whoever serves them: one file per family."""
