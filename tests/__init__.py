"""Tests of skelgen."""
