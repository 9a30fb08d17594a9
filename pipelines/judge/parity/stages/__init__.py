"""Stages of each model with parity fixtures: one module a model, called as the model is in its fixtures.

It has `stages(config, weights, io)`, and `full_size(config, weights, io)` of the same form where there are full-size
fixtures: generators of (name, computed array), computed from the recorded arrays of the stage before, cut as the
fixture's README says. `config` is config.json's content (rule.json's "config" in full size), `weights` the fixture's
`Weights`, `io` its `Arrays`. INPUTS: patterns of arrays that are given, not computed, beyond *_u8. NOISE: by array,
what the README states for arrays that are computed end to end.
"""
