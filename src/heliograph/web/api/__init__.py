"""The JSON API: what a program may ask and do, one resource a file."""
