//! Measures: how well we do; each result with its definition, n and exclusions.
