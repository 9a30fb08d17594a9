"""What each stage of training computes: one module a stage, called as the families' specs call it.

Its OBJECTIVE is an `Objective`. A family with a stage of its own names it in its spec, and brings the module.
"""
