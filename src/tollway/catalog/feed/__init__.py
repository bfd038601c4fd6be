"""What the sources of the catalog say: read strictly, checked as a whole, put into one snapshot. Pure."""
