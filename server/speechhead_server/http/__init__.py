"""HTTP: the application, its guard, bodies of requests, sockets for sound."""
