"""Ends for voice agents: an avatar that is fed with an agent's sound, behind the contracts of LiveKit and Pipecat."""
