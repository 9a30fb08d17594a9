"""How fast this machine is at it: `speechhead bench`, stage by stage, each case in a process of its own."""
