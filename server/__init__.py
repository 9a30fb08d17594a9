"""The live server: one clock, a stage that is alive at all times, WebRTC viewers, HTTP around it (design section 2).

`PROTOCOL.md` is the contract with clients; `docs/server.md` tells how to deploy it.
"""
