"""The way from the predecessor's database to this program's: every row is moved, or kept with its reason."""
