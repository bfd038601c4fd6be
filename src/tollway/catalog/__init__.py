"""What can be bought: models, where each is served, and what a token of it costs since when."""
