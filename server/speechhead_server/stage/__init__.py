"""One avatar on stage: sound in, pictures and sound out, on one clock."""
