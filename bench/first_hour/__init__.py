"""The first hour on a box: many measurements, each for itself, and one report of all of them."""
