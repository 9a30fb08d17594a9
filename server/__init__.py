"""Home of the live server: WebRTC and HTTP, sessions, the browser client (design section 2).

Nothing is here yet. The streaming half that it will stand on is `speechhead.pipeline.Renderer`: audio
chunks go in, frames come out.
"""
