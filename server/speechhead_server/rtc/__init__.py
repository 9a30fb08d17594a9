"""WebRTC: viewers, tracks, encoders, ports, the microphone."""
