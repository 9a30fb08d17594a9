"""The live server: avatars in browsers over WebRTC."""
